"""Base classes of the results tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import UsageError
from moeclip_cli.files import AppendedFile, Closable, replacing, write_errors
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.cells import is_of_earlier_version


class Table(Closable):
    """Rows in a file, in the order in which they were written.

    Attributes:
        path: the file that contains the table once it is closed.
        outdated: whether the file to resume had rows of an earlier version, which lack columns and
            are removed.
    """

    path: Path
    outdated: bool = False

    @classmethod
    @abstractmethod
    def read(cls, path: Path) -> Iterator[Row]:
        """Iterate over the rows of a finished file.

        Raises:
            UsageError: if the file is not a results table of this version.
        """

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Append rows. When this returns they survive a killed process.

        Raises:
            UsageError: if the file cannot be written, e.g. because the disk is full.
        """

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        r"""Iterate over the rows so far, including those of earlier runs.

        In Parquet, an undecodable byte of a path is spelt out, e.g. `\udcff`.

        Raises:
            UsageError: if the file is not a results table of this version.
        """

    @abstractmethod
    def keep(self, positions: NDArray[np.int64]) -> None:
        """Keep the rows at these positions, in this order, and remove all others.

        Args:
            positions: (K,) positions among the rows so far, from 0.

        Raises:
            UsageError: if the file cannot be written, e.g. because the disk is full.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file. Closing it twice is harmless.

        Raises:
            UsageError: if the file cannot be written, e.g. because the disk is full, or has been
                removed.
        """


class TextTable(Table):
    """A table of text records that are appended to a file.

    Args:
        path: the file; its folder is created.
        resume: continue after the last complete record of an existing file, and cut off a record
            that a killed process left incomplete; otherwise replace the file.

    Attributes:
        header: the bytes at the start of a new file.
        opening: the bytes at the start of a file with records.

    Raises:
        UsageError: if the file cannot be written, or the file to resume is not a results table.
    """

    header = b""
    opening = b""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        length = 0
        with write_errors(path):
            if resume and path.exists():
                self.outdated = is_of_earlier_version(self.columns(path))
                length = 0 if self.outdated else self._resumable_length()
        self._open(length)

    @abstractmethod
    def encode(self, rows: Sequence[Row]) -> bytes:
        """Encode rows as records, each with its line end."""

    @classmethod
    @abstractmethod
    def columns(cls, path: Path) -> list[str]:
        """The columns of a file; none if it does not say."""

    @classmethod
    @abstractmethod
    def split(cls, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the complete records, each with its line end, and the header, if there is one."""

    @classmethod
    @abstractmethod
    def decode(cls, record: bytes) -> Row:
        """The row of a record.

        Raises:
            ValueError, TypeError: if the record is invalid.
        """

    def write(self, rows: Sequence[Row]) -> None:
        """See `Table.write`."""
        self._file.append(self.encode(rows))

    def sync(self) -> None:
        """Wait until the rows are on the disk.

        Raises:
            UsageError: if they cannot be written, or the file has been removed.
        """
        self._file.sync()

    @classmethod
    def read(cls, path: Path) -> Iterator[Row]:
        """See `Table.read`."""
        with path.open("rb") as stream:
            if not cls.opening.startswith(stream.read(len(cls.opening))):
                raise foreign_table(path)
            stream.seek(len(cls.header))
            for record in cls.split(stream):
                try:
                    row = cls.decode(record)
                except (ValueError, TypeError) as error:
                    raise foreign_table(path) from error
                yield row

    def rows(self) -> Iterator[Row]:
        """See `Table.rows`."""
        return self.read(self.path)

    def keep(self, positions: NDArray[np.int64]) -> None:
        """See `Table.keep`."""
        starts = self._starts()
        unchanged = np.array_equal(positions, np.arange(len(positions)))
        self._file.close()
        if not unchanged:
            with replacing(self.path, durable=True) as new, self.path.open("rb") as old:
                new.write(self.header)
                for position in positions:
                    old.seek(starts[position])
                    new.write(old.read(starts[position + 1] - starts[position]))
        length = int(starts[len(positions)]) if unchanged else self.path.stat().st_size
        self._open(length)

    def close(self) -> None:
        """See `Table.close`."""
        self._file.close()

    def _open(self, length: int) -> None:
        """Continue the file after `length` bytes; begin it if that is 0."""
        self._file = AppendedFile(self.path, keep=length)
        if not length:
            self._file.append(self.header)

    def _starts(self) -> NDArray[np.int64]:
        """The offsets of the records, and of the end: (records + 1,)."""
        with self.path.open("rb") as stream:
            stream.seek(len(self.header))
            lengths = np.fromiter(map(len, self.split(stream)), dtype=np.int64)
        return len(self.header) + np.concatenate(([0], np.cumsum(lengths)))

    def _resumable_length(self) -> int:
        with self.path.open("rb") as stream:
            start = stream.read(len(self.opening))
            if not self.opening.startswith(start):
                raise foreign_table(self.path)
            stream.seek(0)
            return sum(map(len, self.split(stream)))


def foreign_table(path: Path) -> UsageError:
    """The error for a file that is not a results table of this version."""
    return UsageError(
        f"{path} is not a results table of this version of moeclip and cannot be resumed. Use "
        "`overwrite` to replace it, or choose another `out`."
    )
