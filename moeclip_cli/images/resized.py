"""Pixels at the size of the network's input, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.model.preprocessing import Interpolation, Preprocessing

_FILTERS: dict[Interpolation, Image.Resampling] = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


def normalised(
    pixels: NDArray[np.uint8], height: int, width: int, preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Resize and normalise, as a backbone expects it.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        height: of the network's input in pixels.
        width: of the network's input in pixels.
        preprocessing: of the backbone.

    Returns:
        (3, height, width) float32.
    """
    return normalise(resize(pixels, height, width, preprocessing.interpolation), preprocessing)


def normalise(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Normalise resized pixels (H, W, 3), as a backbone expects it.

    Returns:
        (3, H, W) float32.
    """
    # In NumPy, as torch would start threads of its own in each thread that loads images.
    found: NDArray[np.float32] = np.divide(
        pixels.transpose(2, 0, 1), 255, dtype=np.float32, order="C"
    )
    found -= np.array(preprocessing.mean, dtype=np.float32)[:, None, None]
    found /= np.array(preprocessing.std, dtype=np.float32)[:, None, None]
    return found


def resize_to_square(
    pixels: NDArray[np.uint8], size: int, interpolation: Interpolation
) -> NDArray[np.uint8]:
    """Resize to (size, size, 3) uint8 by one of Pillow's antialiased filters.

    The aspect ratio is not kept. Pixels that have the size already are returned unchanged.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        size: side of the square in pixels.
        interpolation: the filter.
    """
    return resize(pixels, size, size, interpolation)


def resize(
    pixels: NDArray[np.uint8], height: int, width: int, interpolation: Interpolation
) -> NDArray[np.uint8]:
    """Resize to (height, width, 3) uint8 as `resize_to_square` does."""
    return np.array(Image.fromarray(pixels).resize((width, height), _FILTERS[interpolation]))
