"""A picture in a terminal with colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

_UPPER_HALF = "▀"


def preview(pixels: NDArray[np.uint8], width: int, height: int) -> Text:
    """Draw a picture with coloured half blocks: two pixels per cell, one above the other.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        width: largest number of cells per line.
        height: largest number of lines.

    Returns:
        Text for Rich with the proportions of the picture, as large as fits. Cells of a terminal are
        assumed to be twice as high as wide.
    """
    scale = min(width / pixels.shape[1], 2 * height / pixels.shape[0])
    columns = max(1, round(pixels.shape[1] * scale))
    lines = max(1, round(pixels.shape[0] * scale / 2))
    small = cv2.resize(pixels, (columns, 2 * lines), interpolation=cv2.INTER_AREA).tolist()
    text = Text(no_wrap=True, end="")
    for upper_row, lower_row in zip(small[::2], small[1::2], strict=True):
        for upper, lower in zip(upper_row, lower_row, strict=True):
            style = Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
            text.append(_UPPER_HALF, style)
        text.append("\n")
    return text
