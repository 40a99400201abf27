"""Orientation of an image as its EXIF data tell it."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ORIENTATION_TAG = 0x0112
_TO_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
_FROM_UPRIGHT = _TO_UPRIGHT | {6: _TO_UPRIGHT[8], 8: _TO_UPRIGHT[6]}


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, normally 1 to 8; 1 if there is none or it is corrupt."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn pixels as an EXIF orientation says."""
    if orientation not in _TO_UPRIGHT:
        return pixels
    return np.ascontiguousarray(_TO_UPRIGHT[orientation](pixels))


def as_stored(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A view of upright pixels in the order in which a file of an orientation stores them."""
    return _FROM_UPRIGHT.get(orientation, lambda upright: upright)(pixels)


def lies_sideways(orientation: int) -> bool:
    """Whether the stored width is the upright height."""
    return orientation in (5, 6, 7, 8)
