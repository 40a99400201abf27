"""A list of file names on disk: readable any number of times, in constant memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from moeclip_cli.errors import UsageError

_CHUNK_BYTES = 1 << 16


class DiskList:
    """An immutable sequence of file names or paths in a temporary file.

    Several iterations may run at the same time.

    Args:
        texts: names to store. They must not contain NUL characters, which no file name can.

    Raises:
        UsageError: if the folder for temporary files is full or not writable.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._lock = Lock()
        with _storage_errors():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the list
        for text in texts:
            with _storage_errors():
                self._file.write(os.fsencode(text) + b"\0")
        with _storage_errors():
            self._file.flush()

    def __iter__(self) -> Iterator[str]:
        offset, rest = 0, b""
        while chunk := self._read(offset):
            offset += len(chunk)
            *texts, rest = (rest + chunk).split(b"\0")
            yield from map(os.fsdecode, texts)

    def _read(self, offset: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(_CHUNK_BYTES)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            "The list of images cannot be stored in the folder for temporary files "
            f"({error.strerror}); free some space there or set TMPDIR to another folder."
        ) from error
