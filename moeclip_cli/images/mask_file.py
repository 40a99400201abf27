"""Reading of mask files: the luminance of the pixels as they are stored.

A picture is shown to a viewer: transparency over white, deep values stretched to its own range. In
a mask that would invent anomalies, so its values are read as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decoded import DecodedImage, keeps_all_bits, require_known_colours
from moeclip_cli.images.dicom import DICOM
from moeclip_cli.images.high_bit_depth import read_all_bits
from moeclip_cli.images.orientation import orientation_of, upright
from moeclip_cli.images.readers import (
    OpenedImage,
    open_image,
    pillow_reader,
)
from moeclip_cli.images.tiff import read_tiff_header


def open_mask(stream: BinaryIO, image_format: str, max_pixels: int) -> OpenedImage:
    """Read the header of a mask file; `read` returns its luminance, (H, W).

    Args:
        stream: the file; it must stay open until the mask is read.
        image_format: one of `FORMATS`.
        max_pixels: largest width * height to decode.

    Raises:
        Exception: as `open_image`.
    """
    if image_format == DICOM:
        raise ImageError("A mask cannot be a DICOM file; save it as PNG.")
    opened = open_image(stream, image_format, max_pixels)
    return replace(opened, read=lambda: DecodedImage(_luminance(stream, image_format)))


def _luminance(stream: BinaryIO, image_format: str) -> NDArray[np.uint8]:
    unsigned = False
    if image_format == "TIFF":
        header = read_tiff_header(stream)
        if header.needs_opencv:
            return _of_values(read_all_bits(stream))  # OpenCV applies the orientation
        unsigned = header.unsigned
    stream.seek(0)
    image = pillow_reader(image_format)(stream)
    image.load()
    require_known_colours(image)
    if keeps_all_bits(image):
        values = np.asarray(image)
        # Pillow has no unsigned 32-bit mode.
        deep = values.view(np.uint32) if unsigned and values.dtype == np.int32 else values
        return upright(_of_values(deep), orientation_of(image))
    return upright(np.array(image.convert("L")), orientation_of(image))


def _of_values(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Luminance of grey, RGB or RGBA values of any type; those above 255 count as 255."""
    clipped = np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8)
    if clipped.ndim == 2:
        return clipped
    return np.array(Image.fromarray(np.ascontiguousarray(clipped[..., :3])).convert("L"))
