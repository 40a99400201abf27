"""Encoders of TIFF and PNG variants that Pillow and OpenCV cannot write, as fixtures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

SHORT, LONG = 3, 4


def encode_tiff(values: np.ndarray, *, planar: bool = False, **tags: int) -> bytes:
    """An uncompressed little-endian TIFF of (H, W) or (H, W, C) values of any data type."""
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    sample_format = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    pixels = (np.moveaxis(values, -1, 0) if planar else values).tobytes()
    entries = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [values.dtype.itemsize * 8] * channels),
        259: (SHORT, [1]),
        262: (SHORT, [2 if channels > 2 else 1]),
        274: (SHORT, [1]),
        277: (SHORT, [channels]),
        278: (LONG, [height]),
        284: (SHORT, [2 if planar else 1]),
        339: (SHORT, [sample_format] * channels),
    }
    planes = channels if planar else 1
    plane = len(pixels) // planes
    entries[273] = (LONG, [8 + plane * i for i in range(planes)])
    entries[279] = (LONG, [plane] * planes)
    for tag, value in tags.items():
        entries[int(tag.removeprefix("tag_"))] = (SHORT, [value])
    directory = 8 + len(pixels) + len(pixels) % 2
    overflow_at = directory + 2 + 12 * len(entries) + 4
    table, overflow = b"", b""
    for tag, (kind, numbers) in sorted(entries.items()):
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            packed, overflow = struct.pack("<I", overflow_at + len(overflow)), overflow + packed
        table += struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    start = b"II*\0" + struct.pack("<I", directory) + pixels.ljust(directory - 8, b"\0")
    return start + struct.pack("<H", len(entries)) + table + bytes(4) + overflow


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def encode_png16(values: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG of (H, W) or (H, W, C) values, with `extra` chunks before the pixels."""
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = values.astype(">u2").reshape(height, -1)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


@pytest.fixture(scope="session")
def tiff():
    """Encode an uncompressed TIFF: tiff(values, planar=False, tag_274=6) -> bytes."""
    return encode_tiff


@pytest.fixture(scope="session")
def png16():
    """Encode a 16-bit PNG: png16(values, (b"tRNS", b"...")) -> bytes."""
    return encode_png16
