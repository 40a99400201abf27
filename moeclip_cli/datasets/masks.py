"""Masks: binary images of the anomalous pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import DatasetError, ImageError
from moeclip_cli.images.decode import decode_mask


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
        above: a pixel is anomalous if its luminance exceeds this value.
        expected: (height, width) of the image that the mask belongs to; None to skip the check.

    Returns:
        (height, width) uint8, 1 where anomalous, else 0.

    Raises:
        DatasetError: if the mask cannot be read or does not have the expected size.
    """
    try:
        luminance = decode_mask(path)
    except ImageError as error:
        raise DatasetError(f"The mask {path} cannot be used: {error}") from error
    height, width = luminance.shape
    if expected not in (None, (height, width)):
        raise DatasetError(
            f"The mask {path} has {width} x {height} pixels, but its image has "
            f"{expected[1]} x {expected[0]}; export it at the size of the image."
        )
    rows, columns = (size, size) if isinstance(size, int) else size(height, width)
    resized = Image.fromarray(luminance).resize((columns, rows), Image.Resampling.NEAREST)
    return (np.asarray(resized) > above).astype(np.uint8)
