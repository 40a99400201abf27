"""Saving pictures as PNG or JPEG."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.reports.files import replacing

PictureFormat = Literal["png", "jpeg"]

_SUFFIXES: dict[str, str] = {"png": ".png", "jpeg": ".jpg"}
_LONGEST_JPEG_SIDE = 65_500


def picture_suffix(picture_format: PictureFormat) -> str:
    """What the name of such a file ends with: `.png` or `.jpg`.

    Raises:
        UsageError: if the format is unknown.
    """
    if picture_format not in _SUFFIXES:
        message = f'There is no picture format "{picture_format}"; use {" or ".join(_SUFFIXES)}.'
        raise UsageError(message)
    return _SUFFIXES[picture_format]


def save_picture(
    path: Path,
    pixels: NDArray[np.uint8],
    picture_format: PictureFormat = "png",
    quality: int = 90,
) -> None:
    """Write a picture; the file appears at once and whole, its folders are made.

    Args:
        path: the file, which is replaced if it exists.
        pixels: (H, W, 3) uint8, RGB.
        picture_format: "png" or "jpeg".
        quality: JPEG quality, 1 to 100; PNG has none.

    Raises:
        ImageError: if the format cannot hold a picture of this size.
        UsageError: if the format is unknown or the file cannot be written.
    """
    data = encode_picture(pixels, picture_format, quality)
    with replacing(path) as stream:
        stream.write(data)


def encode_picture(
    pixels: NDArray[np.uint8], picture_format: PictureFormat = "png", quality: int = 90
) -> bytes:
    """The bytes of the file that `save_picture` writes.

    Raises:
        ImageError: if the format cannot hold a picture of this size.
        UsageError: if the format is unknown.
    """
    suffix = picture_suffix(picture_format)
    height, width = pixels.shape[:2]
    if picture_format == "jpeg" and max(height, width) > _LONGEST_JPEG_SIDE:
        message = f"A JPEG cannot be {width} x {height} pixels; save pictures as PNG instead."
        raise ImageError(message)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if picture_format == "jpeg" else []
    try:
        # OpenCV writes PNG six times as fast as Pillow at the same size; it wants BGR.
        encoded, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    except cv2.error as error:
        raise _unencodable(picture_format, width, height) from error
    if not encoded:
        raise _unencodable(picture_format, width, height)
    return bytes(data)


def _unencodable(picture_format: str, width: int, height: int) -> ImageError:
    name = picture_format.upper()
    return ImageError(f"A picture of {width} x {height} pixels could not be encoded as {name}.")
