"""Masks: binary images of the anomalous pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import DatasetError, ImageError
from moeclip_cli.images.decode import decode


def read_mask(
    path: Path,
    size: int | Callable[[int, int], tuple[int, int]],
    *,
    above: int = 0,
    expected: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:
    """Read a mask at the size of the network's input, by nearest-neighbour resizing.

    Args:
        path: an image of any format.
        size: side of the square in pixels, or a function from height and width of the mask to those
            wanted.
        above: a pixel is anomalous if any of its channels exceeds this value.
        expected: (height, width) of the image that the mask belongs to; None to skip the check.

    Returns:
        (height, width) uint8, 1 where anomalous, else 0.

    Raises:
        DatasetError: if the mask cannot be read or does not have the expected size.
    """
    try:
        pixels = decode(path).pixels
    except ImageError as error:
        raise DatasetError(f"The mask {path} cannot be used: {error}") from error
    height, width = pixels.shape[:2]
    if expected not in (None, (height, width)):
        raise DatasetError(
            f"The mask {path} has {width} x {height} pixels, but its image has "
            f"{expected[1]} x {expected[0]}; export it at the size of the image."
        )
    rows, columns = (size, size) if isinstance(size, int) else size(height, width)
    fitted = np.asarray(Image.fromarray(pixels).resize((columns, rows), Image.Resampling.NEAREST))
    # Channel by channel, which is faster than a maximum over an axis of length three.
    strongest = np.maximum(np.maximum(fitted[..., 0], fitted[..., 1]), fitted[..., 2])
    return (strongest > above).astype(np.uint8)
