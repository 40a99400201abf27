"""Images in memory: encoded bytes, and arrays or tensors of several layouts and types."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decoded import DecodedImage
from moeclip_cli.images.high_bit_depth import scale_to_8_bits
from moeclip_cli.images.readers import open_pillow

_LAYOUTS = (
    "(height, width), (height, width, 1) for grey, (height, width, 3) for RGB or "
    "(height, width, 4) for RGBA"
)
_CHANNELS = (1, 3, 4)
# Rounding of a resized or normalised image may leave [0, 1].
_SLACK = 1e-3


def is_encoded(source: object) -> bool:
    """True for the content of an image file: bytes, or a stream of bytes."""
    return isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read")


def is_array(source: object) -> bool:
    """True for an array, and for a tensor of PyTorch."""
    return isinstance(source, np.ndarray) or _is_tensor(source)


@contextmanager
def as_file(source: Any) -> Iterator[Path]:
    """The content of an image file as a temporary file during the block.

    Readers seek in it, and a slow one reads it in another process.

    Raises:
        ImageError: if a stream cannot be read, or gives text.
    """
    try:
        content = source.read() if hasattr(source, "read") else source
        data = memoryview(content)
    except (OSError, ValueError, TypeError) as error:
        raise ImageError(
            f"The image cannot be read from this {type(source).__name__}: {error}."
        ) from error
    handle, name = tempfile.mkstemp(prefix="moeclip-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        yield Path(name)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def decode_array(source: Any, max_pixels: int) -> DecodedImage:
    """An array or tensor as 8-bit RGB.

    Args:
        source: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); a tensor may also have its channels
            first. uint8, bool, float in [0, 1], or uint16, which is scaled like a 16-bit file by
            the minimum and maximum of the image.
        max_pixels: largest width * height of an image with alpha.

    Raises:
        ImageError: if it has another shape or type, is empty, or its numbers are out of range.
    """
    array = _of_tensor(source) if _is_tensor(source) else source
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    shape: tuple[int, ...] = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in _CHANNELS):
        raise ImageError(f"An image array must have shape {_LAYOUTS}, not {shape}.")
    if array.size == 0:
        raise ImageError(f"The image array is empty (shape {shape}).")
    if array.ndim == 3 and shape[2] == 1:
        array = array[..., 0]
    pixels, notes = _as_bytes(array)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    if pixels.shape[2] == 4:
        decoded = open_pillow(Image.fromarray(pixels, "RGBA"), max_pixels).read()
        return DecodedImage(decoded.pixels, notes + decoded.notes)
    return DecodedImage(pixels, notes)


def _as_bytes(array: NDArray[Any]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    if array.dtype == np.uint8:
        return array, ()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255), ()
    if array.dtype == np.uint16:
        return scale_to_8_bits(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise ImageError(
            f"An image array must have type uint8, uint16, bool or float, not {array.dtype}."
        )
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise ImageError(
            "An image array of floats must not contain NaN or infinity; replace them with numbers "
            "in [0, 1]."
        )
    if low < -_SLACK or high > 1 + _SLACK:
        raise ImageError(
            f"An image array of floats must be in [0, 1], not from {low:g} to {high:g}; divide it "
            "by its maximum, or give uint8."
        )
    return np.rint(array.clip(0, 1) * 255).astype(np.uint8), ()


def _is_tensor(source: object) -> bool:
    # The images package does not need PyTorch.
    return hasattr(source, "detach") and hasattr(source, "cpu") and hasattr(source, "numpy")


def _of_tensor(tensor: Any) -> NDArray[Any]:
    """The values of a tensor with the channels last."""
    values = tensor.detach().cpu()
    if values.is_floating_point():
        values = values.float()  # NumPy has no bfloat16
    array: NDArray[Any] = values.numpy()
    if array.ndim == 3 and array.shape[0] in _CHANNELS and array.shape[2] not in _CHANNELS:
        array = np.moveaxis(array, 0, 2)
    return np.ascontiguousarray(array)
