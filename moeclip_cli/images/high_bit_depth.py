"""Images with more than 8 bits per channel: reading all bits, and scaling to 8 bits by range.

Cameras store 10 or 12 bits in 16-bit files and measuring devices store floating-point numbers, so
the range of the data type is meaningless: clipping saturates the image, dividing by 256 blackens
it. Scaling therefore uses the range of values that occur in the image.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.images.strips import strips

MID_GREY = 128

_PNG = b"\x89PNG\r\n\x1a\n"
_PNM_HEADER = re.compile(rb"P[2356]" + rb"(?:\s+(?:#[^\r\n]*[\r\n]\s*)*(\d+))" * 3 + rb"\s")


def read_all_bits(stream: BinaryIO) -> NDArray[Any]:
    """Read a PNG, PGM/PPM or TIFF file at its full bit depth.

    Args:
        stream: the whole file, at any position.

    OpenCV and its libraries may print messages about a corrupt file.

    Returns:
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, of the file's own data type.

    Raises:
        ImageError: if OpenCV cannot decode the file.
    """
    stream.seek(0)
    data = stream.read()
    if data.startswith(_PNG):
        data = _PNG + b"".join(_still_chunks(data))
    elif data.startswith((b"P2", b"P3")):
        data += b"\n"  # OpenCV requires a separator after the last number, the format does not
    buffer = np.frombuffer(data, dtype=np.uint8)
    return _in_rgb(cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))


def read_all_bits_of_page(stream: BinaryIO, page: int) -> NDArray[Any]:
    """As `read_all_bits`, of a page of a TIFF file on disk, from 1.

    Raises:
        ImageError: if OpenCV cannot decode the page.
    """
    found, pages = cv2.imreadmulti(
        str(stream.name), start=page - 1, count=1, flags=cv2.IMREAD_UNCHANGED
    )
    return _in_rgb(pages[0] if found else None)


def _in_rgb(values: NDArray[Any] | None) -> NDArray[Any]:
    """Values as OpenCV gives them, with the order of the channels that the other readers have."""
    if values is None:
        raise ImageError("The file is corrupt or of an unsupported variant; save it again as PNG.")
    if values.ndim == 3:
        for rows in strips(*values.shape[:2]):
            values[rows] = values[rows][..., [2, 1, 0, 3][: values.shape[2]]]
    return values


def _still_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the chunks of a PNG file that make up its still image.

    OpenCV 5.0 also reads animations, and crashes the process if they are corrupt.
    """
    position = len(_PNG)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind in (b"IHDR", b"tRNS", b"IDAT", b"IEND"):
            yield data[position:end]
        position = end


def is_16_bit_png(stream: BinaryIO) -> bool:
    """Return True if a PNG file has 16 bits per channel."""
    stream.seek(24)
    return stream.read(1) == b"\x10"


def is_16_bit_pnm(stream: BinaryIO) -> bool:
    """Return True if a PGM or PPM file has more than 8 bits per channel, which are stored in 16.

    Raises:
        ImageError: if it has, and is truncated.
    """
    stream.seek(0)
    head = stream.read(4096)
    header = _PNM_HEADER.match(head)
    if header is None or int(header[3]) < 256:
        return False
    channels = 3 if head.startswith((b"P3", b"P6")) else 1
    if head.startswith((b"P5", b"P6")):
        pixels = int(header[1]) * int(header[2])
        stream.seek(0, 2)
        if stream.tell() - header.end() < pixels * channels * 2:
            raise ImageError("The PGM/PPM file is truncated; copy or export it again.")
    return True


def scale_to_8_bits(values: NDArray[Any]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Scale values of any type so that the image's own minimum and maximum become 0 and 255.

    All channels share one range, which preserves colours. A fourth channel is alpha: the image is
    composited over white, and fully transparent pixels are ignored when the range is determined.
    Infinite values are set to the nearest end of the range, NaN to its minimum.

    Args:
        values: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, of any integer or float type.

    Returns:
        (H, W) or (H, W, 3) uint8, and notes on the scaling.

    Raises:
        ImageError: if the range overflows a floating-point number.
    """
    has_alpha = values.ndim == 3 and values.shape[2] == 4
    colours = values[..., :3] if has_alpha else values
    parts = list(strips(*values.shape[:2]))
    low, high = _range(_visible(values[rows]) if has_alpha else colours[rows] for rows in parts)
    if not np.isfinite(high - low):
        raise ImageError(f"The value range {low:g} to {high:g} is too wide; clip the values first.")
    pixels = np.empty(colours.shape, dtype=np.uint8)
    transparent = False
    for rows in parts:
        scaled = _stretch(colours[rows], low, high)
        if has_alpha:
            opacity = _opacity(values[rows][..., 3])
            if opacity.min() < 1:
                scaled = scaled * opacity + 255 * (1 - opacity)
                transparent = True
        pixels[rows] = np.rint(scaled)
    notes = (f"values {low:g} to {high:g} scaled to 8 bits",)
    return pixels, (*notes, "transparent parts shown over white") if transparent else notes


def _visible(values: NDArray[Any]) -> NDArray[Any]:
    """Return the colours (N, 3) of the pixels (H, W, 4) that are not fully transparent."""
    return values[..., :3][_opacity(values[..., 3])[..., 0] > 0]


def _opacity(alpha: NDArray[Any]) -> NDArray[np.float32]:
    """Return the opacity (H, W, 1) float32 in [0, 1] of an alpha channel."""
    full = np.iinfo(alpha.dtype).max if np.issubdtype(alpha.dtype, np.integer) else 1.0
    opacity: NDArray[np.float32] = (alpha.astype(np.float32) / full)[..., np.newaxis]
    return np.clip(np.nan_to_num(opacity, nan=0.0), 0, 1)


def _range(parts: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Return the smallest and largest finite value of all parts; (0, 0) if there is none."""
    ranges = []
    for values in parts:
        if np.issubdtype(values.dtype, np.floating):
            values = values[np.isfinite(values)]
        if values.size:
            ranges.append((float(values.min()), float(values.max())))
    if not ranges:
        return 0.0, 0.0
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _stretch(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Map [low, high] to [0, 255] in floating point."""
    if low == high:
        return np.full(values.shape, MID_GREY, dtype=np.float32)
    # float32 represents 16-bit values exactly and halves the memory; wider values need float64.
    dtype = np.float32 if values.dtype.itemsize <= 2 else np.float64
    with np.errstate(invalid="ignore"):  # numpy warns about signalling NaNs
        stretched = values.astype(dtype)
    if np.issubdtype(values.dtype, np.floating):
        np.nan_to_num(stretched, copy=False, nan=low, posinf=high, neginf=low)
    stretched -= low
    stretched /= high - low
    stretched *= 255
    return stretched
