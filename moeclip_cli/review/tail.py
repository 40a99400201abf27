"""The end of a file that another process appends to, or replaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Split = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Yields the complete records of lines, each with its line end."""


class Tail:
    """Reads the records that are new since the last time.

    Args:
        path: the file, which need not exist yet.
        split: finds the complete records; an incomplete one is read next time.
        skipped: bytes at the start of the file before the first record.
    """

    def __init__(self, path: Path, split: Split, *, skipped: int = 0) -> None:
        self._path, self._split, self._skipped = path, split, skipped
        self._read = 0
        self._file: tuple[int, int] | None = None

    def new_records(self) -> tuple[list[bytes], bool]:
        """The records since the last call, and whether the earlier ones are void.

        They are if the file was replaced, shortened or removed.
        """
        try:
            with self._path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                same = self._file == (status.st_dev, status.st_ino) and status.st_size >= self._read
                void = not same and self._file is not None
                if not same:
                    self._file, self._read = (status.st_dev, status.st_ino), self._skipped
                stream.seek(self._read)
                records = list(self._split(stream))
        except FileNotFoundError:
            void, self._file = self._file is not None, None
            return [], void
        self._read += sum(map(len, records))
        return records, void
