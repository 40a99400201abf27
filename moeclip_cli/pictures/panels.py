"""Sizes of the panels and the text of sheets and expert maps."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.pictures.legend import SMALLEST_TEXT

_LONGEST_SIDE = 1024
_SHORTEST_LONG_SIDE = 320


def shrunk(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """A picture reduced so that its longer side is at most `longest` pixels.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        longest: maximum length of the longer side in pixels; the other side is at least 1.
    """
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def viewing_size(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture scaled for viewing: its longer side is 320 to 1024 pixels.

    Args:
        pixels: (H, W, 3) uint8, RGB.
    """
    factor = ceil(_SHORTEST_LONG_SIDE / max(pixels.shape[:2]))
    return shrunk(pixels, _LONGEST_SIDE).repeat(factor, axis=0).repeat(factor, axis=1)


def text_size(height: int, width: int) -> int:
    """Text height in pixels for a picture of this size."""
    return max(SMALLEST_TEXT, round(max(height, width) * 0.03))


def nearest(values: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """(h, w) values resized to (height, width) by nearest neighbour, at pixel centres."""
    rows = ((np.arange(height) + 0.5) * (values.shape[0] / height)).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * (values.shape[1] / width)).astype(np.intp)
    return values[rows[:, None], columns]
