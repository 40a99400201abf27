"""The size of a network input that keeps the aspect ratio of an image."""

from __future__ import annotations

# The blur of the anomaly maps mirrors up to 4 patches at the border, so it needs a 5th.
MIN_GRID = 5
MAX_ASPECT = 4.0
"""Ratio of the sides up to which it is kept; an image that is longer still is squeezed to it."""


def input_size(height: int, width: int, side: int, patch_size: int) -> tuple[int, int]:
    """The network input of an image: its aspect ratio, in about as many patches as a square has.

    Both sides are whole numbers of patches, so the ratio is kept to half a patch of each side. With
    fewer than 10 patches along the square, less extreme ratios than `MAX_ASPECT` are squeezed, too.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        side: of the square in pixels, a multiple of the patch size.
        patch_size: side of a patch in pixels.

    Returns:
        (height, width) in pixels; (side, side) for a square image.
    """
    grid = side // patch_size
    most = max(1.0, min(MAX_ASPECT, (grid / MIN_GRID) ** 2))
    aspect = min(max(height / width, 1 / most), most)
    rows, columns = (round(grid * ratio**0.5) for ratio in (aspect, 1 / aspect))
    return rows * patch_size, columns * patch_size
