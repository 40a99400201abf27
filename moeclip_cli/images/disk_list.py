"""A list of names that lives on disk: read as often as wanted, in memory that does not grow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from threading import Lock

_CHUNK = 1 << 16  # bytes


class DiskList:
    """An unchanging sequence of file names or paths in a temporary file.

    Several iterations may run at once.

    Args:
        texts: what to store; none may hold a NUL character, as no file name can.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the list
        self._lock = Lock()
        for text in texts:
            self._file.write(os.fsencode(text) + b"\0")

    def __iter__(self) -> Iterator[str]:
        offset, rest = 0, b""
        while chunk := self._read(offset):
            offset += len(chunk)
            *texts, rest = (rest + chunk).split(b"\0")
            yield from map(os.fsdecode, texts)

    def _read(self, offset: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(_CHUNK)
