"""Very large TIFF and PNG files of repeated noise, written without much memory.

The strips or tiles of a TIFF are one compressed picture to which the directory points again and
again, so that the file stays small; a reader decodes each of them anew.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KINDS = (
    "one-strip", "strips", "tiles", "strips-lzw", "tiles-lzw", "one-strip-deflate",
    "strips-deflate", "tiles-deflate", "strips-jpeg", "tiles-jpeg", "strips-16-bit", "png",
    "png-interlaced", "png-16-bit",
)  # fmt: skip

_COMPRESSIONS = {"lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "jpeg": "jpeg"}
_ROWS = 64  # of a strip
_TILE = 256  # side
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # left, top and steps of the passes of an interlaced PNG  # fmt: skip
_SHORT, _LONG = "H", "I"
_CODES = {_SHORT: 3, _LONG: 4}


def write(path: Path, kind: str, width: int, height: int) -> None:
    """Write a file.

    Args:
        path: the file.
        kind: one of `KINDS`.
        width, height: size in pixels; of tiles and strips, the last of which is cut.
    """
    if kind.startswith("png"):
        _write_png(path, width, height, kind.removeprefix("png").strip("-"))
    elif kind.startswith("one-strip"):
        _write_one_strip(path, width, height, packed=kind.endswith("deflate"))
    else:
        layout, _, packing = kind.partition("-")
        _write_repeated(path, width, height, tiled=layout == "tiles", packing=packing)


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(90, 160, (height, width, 3), dtype=np.uint8)


def _write_repeated(path: Path, width: int, height: int, *, tiled: bool, packing: str) -> None:
    chunk = _noise(_TILE, _TILE) if tiled else _noise(_ROWS, width)
    across, down = -(-width // chunk.shape[1]), -(-height // chunk.shape[0])
    bits = 16 if packing == "16-bit" else 8
    if packing in _COMPRESSIONS:
        tags, data = _packed(chunk, _COMPRESSIONS[packing])
    else:
        tags, data = {}, (chunk.astype(np.uint16) * 100 if bits == 16 else chunk).tobytes()
    count = across * down
    places, sizes = (324, 325) if tiled else (273, 279)
    sides = {322: (_LONG, [_TILE]), 323: (_LONG, [_TILE])} if tiled else {278: (_LONG, [_ROWS])}
    entries = _colours(width, height, bits) | tags | sides
    entries |= {places: (_LONG, [0] * count), sizes: (_LONG, [len(data)] * count)}
    entries[places] = (_LONG, [len(_directory(entries))] * count)
    path.write_bytes(_directory(entries) + data)


def _packed(
    chunk: NDArray[np.uint8], compression: str
) -> tuple[dict[int, tuple[str, list[int]]], bytes]:
    """A strip or tile as libtiff compresses it, with the tags that describe it."""
    stream = io.BytesIO()
    Image.fromarray(chunk).save(
        stream, "TIFF", compression=compression, tiffinfo={278: len(chunk), 317: 1}
    )
    with Image.open(stream) as image:
        tags = image.tag_v2
        ((offset,), (size,)) = tags[273], tags[279]
        kept = {tag: (_SHORT, [int(tags[tag])]) for tag in (259, 262, 317) if tag in tags}
        if 530 in tags:  # sub-sampling of the colours
            kept[530] = (_SHORT, [int(value) for value in tags[530]])
        if 347 in tags:  # tables that all JPEG strips share
            kept[347] = ("B", list(tags[347]))
    return kept, stream.getvalue()[offset : offset + size]


def _write_one_strip(path: Path, width: int, height: int, *, packed: bool) -> None:
    rows = _noise(_ROWS, width)
    entries = _colours(width, height, 8) | {
        259: (_SHORT, [8 if packed else 1]),
        273: (_LONG, [0]),
        278: (_LONG, [height]),
        279: (_LONG, [width * height * 3]),
    }
    start = len(_directory(entries))
    entries[273] = (_LONG, [start])
    packer = zlib.compressobj(1)
    with path.open("wb") as stream:
        stream.write(bytes(start))
        for top in range(0, height, _ROWS):
            data = rows[: height - top].tobytes()
            stream.write(packer.compress(data) if packed else data)
        if packed:
            stream.write(packer.flush())
        entries[279] = (_LONG, [stream.tell() - start])
        stream.seek(0)
        stream.write(_directory(entries))


def _colours(width: int, height: int, bits: int) -> dict[int, tuple[str, list[int]]]:
    """The tags of every RGB picture."""
    return {
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [bits] * 3),
        259: (_SHORT, [1]),
        262: (_SHORT, [2]),
        277: (_SHORT, [3]),
    }


def _directory(entries: dict[int, tuple[str, list[int]]]) -> bytes:
    """The header of a TIFF with its only directory, whose long values follow it."""
    after = 8 + 2 + 12 * len(entries) + 4
    table, values = b"", b""
    for tag, (kind, numbers) in sorted(entries.items()):
        data = struct.pack(f"<{len(numbers)}{kind}", *numbers)
        head = struct.pack("<HHI", tag, _CODES.get(kind, 7), len(numbers))
        if len(data) <= 4:
            table += head + data.ljust(4, b"\0")
        else:
            table += head + struct.pack("<I", after + len(values))
            values += data + bytes(len(data) % 2)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + values


def _write_png(path: Path, width: int, height: int, variant: str) -> None:
    bits = 16 if variant == "16-bit" else 8
    noise = _noise(_ROWS, width)
    rows = (noise.astype(np.uint16) * 100).astype(">u2") if bits == 16 else noise
    packer = zlib.compressobj(1)
    with path.open("wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n")
        interlaced = variant == "interlaced"
        _chunk(stream, b"IHDR", struct.pack(">2I5B", width, height, bits, 2, 0, 0, interlaced))
        for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
            for row in range(top, height, down):
                line = b"\0" + rows[row % _ROWS, left::across].tobytes()  # unfiltered
                _chunk(stream, b"IDAT", packer.compress(line))
        _chunk(stream, b"IDAT", packer.flush())
        _chunk(stream, b"IEND", b"")


def _chunk(stream: io.BufferedIOBase, kind: bytes, data: bytes) -> None:
    if data or kind == b"IEND":
        crc = zlib.crc32(kind + data)
        stream.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc))
