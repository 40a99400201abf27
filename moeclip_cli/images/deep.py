"""Images of more than 8 bits a channel: reading all bits, and scaling them to 8 by their range.

Cameras store 10 or 12 bits in 16-bit files and measuring devices store floating-point numbers, so
the container's range says nothing: clipping saturates, dividing by 256 blackens. What counts is the
range that an image really uses.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError

MID_GREY = 128

_PNG = b"\x89PNG\r\n\x1a\n"
_PNM_HEADER = re.compile(rb"P[2356]" + rb"(?:\s+(?:#[^\r\n]*[\r\n]\s*)*(\d+))" * 3 + rb"\s")


def read_deep(stream: BinaryIO) -> NDArray[Any]:
    """Reads a PNG, PGM/PPM or TIFF file without giving up any bits.

    Args:
        stream: the whole file, at any position.

    Returns:
        (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, of the file's own type.

    Raises:
        ImageError: if OpenCV cannot decode it.
    """
    stream.seek(0)
    data = stream.read()
    if data.startswith(_PNG):
        data = _PNG + b"".join(_still_chunks(data))
    buffer = np.frombuffer(data, dtype=np.uint8)
    values: NDArray[Any] | None = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ImageError("The file is damaged or of a rare kind; save it again as PNG.")
    if values.ndim == 2:
        return values
    return np.take(values, [2, 1, 0, 3][: values.shape[2]], axis=2)


def _still_chunks(data: bytes) -> Iterator[bytes]:
    """The parts of a PNG file that make its still picture.

    OpenCV 5.0 reads animations too, and crashes the process on damaged ones.
    """
    position = len(_PNG)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if kind in (b"IHDR", b"tRNS", b"IDAT", b"IEND"):
            yield data[position:end]
        position = end


def is_deep_png(stream: BinaryIO) -> bool:
    """Whether a PNG file has 16 bits a channel."""
    stream.seek(24)
    return stream.read(1) == b"\x10"


def is_deep_pnm(stream: BinaryIO) -> bool:
    """Whether a PGM or PPM file has more than 8 bits a channel.

    Raises:
        ImageError: if it has, and is cut short.
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
            raise ImageError("The PGM/PPM file is cut short; copy or export it again.")
    return True


def scale_to_8_bits(values: NDArray[Any]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Scales values of any type so that an image's own minimum and maximum become 0 and 255.

    Colours keep their proportions: all channels share one range. A fourth channel is transparency;
    the result lies over white, and invisible pixels have no part in the range. Numbers that are
    not finite count as the nearest end of the range, NaN as its minimum.

    Args:
        values: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, of any integer or float type.

    Returns:
        (H, W) or (H, W, 3) uint8, and notes that say what was done.

    Raises:
        ImageError: if the range is too wide for a floating-point number.
    """
    colours, opacity = values, None
    if values.ndim == 3 and values.shape[2] == 4:
        colours, opacity = values[..., :3], _opacity(values[..., 3])
    low, high = _range(colours if opacity is None else colours[opacity[..., 0] > 0])
    if not np.isfinite(high - low):
        raise ImageError(f"The values, {low:g} to {high:g}, are too far apart; clip them first.")
    notes = [f"values {low:g} to {high:g} scaled to 8 bits"]
    scaled = _stretch(colours, low, high)
    if opacity is not None and opacity.min() < 1:
        scaled = scaled * opacity + 255 * (1 - opacity)
        notes.append("transparent parts shown over white")
    return np.rint(scaled).astype(np.uint8), tuple(notes)


def _opacity(alpha: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W, 1) float32 in [0, 1] of a transparency channel."""
    full = np.iinfo(alpha.dtype).max if np.issubdtype(alpha.dtype, np.integer) else 1.0
    opacity: NDArray[np.float32] = (alpha.astype(np.float32) / full)[..., np.newaxis]
    return np.clip(np.nan_to_num(opacity, nan=0.0), 0, 1)


def _range(values: NDArray[Any]) -> tuple[float, float]:
    """Smallest and largest finite value; (0, 0) if there is none."""
    if np.issubdtype(values.dtype, np.floating):
        values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _stretch(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Maps [low, high] to [0, 255], still in floating point."""
    if low == high:
        return np.full(values.shape, MID_GREY, dtype=np.float32)
    # 32 bits hold 16-bit values exactly and halve the memory; wider ones need 64.
    kind = np.float32 if values.dtype.itemsize <= 2 else np.float64
    with np.errstate(invalid="ignore"):  # certain NaNs are worth a warning to numpy
        stretched = values.astype(kind)
    if np.issubdtype(values.dtype, np.floating):
        np.nan_to_num(stretched, copy=False, nan=low, posinf=high, neginf=low)
    stretched -= low
    stretched /= high - low
    stretched *= 255
    return stretched
