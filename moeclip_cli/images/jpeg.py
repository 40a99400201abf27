"""JPEG scans: each one of a progressive JPEG passes over the whole picture again."""

from __future__ import annotations

from typing import BinaryIO

from moeclip_cli.errors import ImageError

_START_OF_SCAN = b"\xff\xda"
_MOST_SCANS = 500  # encoders write about 10
_CHUNK_BYTES = 1 << 20


def count_scans(stream: BinaryIO) -> int:
    """Count the scans of a JPEG file; those of an embedded thumbnail count too.

    Args:
        stream: the file; its position is left unchanged.

    Raises:
        ImageError: if there are more than 500, which make a small file take hours.
    """
    position = stream.tell()
    stream.seek(0)
    count, last = 0, b""
    while count <= _MOST_SCANS and (chunk := stream.read(_CHUNK_BYTES)):
        count += (last + chunk).count(_START_OF_SCAN)
        last = chunk[-1:]
    stream.seek(position)
    if count > _MOST_SCANS:
        raise ImageError(
            f"The JPEG file has more than {_MOST_SCANS} scans, which would take too long to decode;"
            " save it again as an ordinary JPEG or as PNG."
        )
    return count
