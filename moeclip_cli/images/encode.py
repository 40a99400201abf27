"""Picture encoding: PNG and JPEG, in memory and to files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import PictureFormat
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.files import replacing

_SUFFIXES: dict[str, str] = {"png": ".png", "jpeg": ".jpg"}
LONGEST_JPEG_SIDE = 65_500


def picture_suffix(picture_format: PictureFormat) -> str:
    """Return the file name suffix of a picture format: `.png` or `.jpg`.

    Raises:
        UsageError: if the format is unknown.
    """
    if picture_format not in _SUFFIXES:
        message = f'Unknown picture format "{picture_format}"; use {" or ".join(_SUFFIXES)}.'
        raise UsageError(message)
    return _SUFFIXES[picture_format]


def save_picture(
    path: Path,
    pixels: NDArray[np.uint8],
    picture_format: PictureFormat = "png",
    quality: int = 90,
) -> None:
    """Write a picture atomically, creating missing parent folders.

    Args:
        path: the file; an existing one is replaced.
        pixels: (H, W, 3) uint8, RGB, or (H, W) uint8, grey.
        picture_format: "png" or "jpeg".
        quality: JPEG quality, 1 to 100; ignored for PNG.

    Raises:
        ImageError: if the format does not support a picture of this size.
        UsageError: if the format is unknown or the file cannot be written.
    """
    data = encode_picture(pixels, picture_format, quality)
    with replacing(path) as stream:
        stream.write(data)


def encode_picture(
    pixels: NDArray[np.uint8], picture_format: PictureFormat = "png", quality: int = 90
) -> bytes:
    """Return the bytes of the file that `save_picture` writes.

    Raises:
        ImageError: if the format does not support a picture of this size.
        UsageError: if the format is unknown.
    """
    suffix = picture_suffix(picture_format)
    height, width = pixels.shape[:2]
    if picture_format == "jpeg" and max(height, width) > LONGEST_JPEG_SIDE:
        message = (
            f"A picture of {width} x {height} pixels is too large for JPEG; save it as PNG instead."
        )
        raise ImageError(message)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if picture_format == "jpeg" else []
    try:
        # OpenCV writes PNG faster than Pillow at the same file size; it expects BGR.
        stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        encoded, data = cv2.imencode(suffix, stored, options)
    except cv2.error as error:
        raise _encoding_error(picture_format, width, height) from error
    if not encoded:
        raise _encoding_error(picture_format, width, height)
    return bytes(data)


def _encoding_error(picture_format: str, width: int, height: int) -> ImageError:
    name = picture_format.upper()
    return ImageError(f"A picture of {width} x {height} pixels could not be encoded as {name}.")
