"""A picture in a terminal that can show colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

_UPPER_HALF = "▀"


def preview(pixels: NDArray[np.uint8], width: int, height: int) -> Text:
    """A picture as coloured half blocks, two pixels in each cell, one above the other.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        width: most cells across.
        height: most lines.

    Returns:
        Text to be printed by rich, as large as fits, in the picture's proportions on the usual
        terminal, whose cells are twice as high as they are wide.
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
