"""What every results table can do, and what those that grow at the end of a text file share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.done import DonePaths
from moeclip_cli.reports.files import write_errors

SomeTable = TypeVar("SomeTable", bound="Table")


class Table(ABC):
    """Rows on disk, in the order in which they were written.

    Attributes:
        path: the file that holds the table once it is closed.
    """

    path: Path

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Add rows. They are on disk when this returns: killing the process loses none of them.

        Raises:
            UsageError: if the disk is full or the like.
        """

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        r"""The rows written so far, by earlier runs too, one at a time.

        In CSV and Parquet, a byte of a path that is not UTF-8 is spelt out, e.g. `\udcff`.

        Raises:
            UsageError: if the file is not a table as this version writes it.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file. Closing twice is harmless.

        Raises:
            UsageError: if the disk is full or the like.
        """

    def done(self) -> DonePaths:
        """The paths that have a row, with or without an error."""
        return DonePaths(row.path for row in self.rows())

    def __enter__(self: SomeTable) -> SomeTable:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class TextTable(Table):
    """A table of text records, appended to one file.

    Args:
        path: the file; its folder is made.
        resume: go on after the last complete record of an existing file, whose torn end, left by
            a kill, is cut off; otherwise the file starts anew.

    Attributes:
        header: the bytes that a new file starts with.
        opening: the bytes that a file with records starts with.

    Raises:
        UsageError: if the file cannot be written, or is to be resumed but is something else.
    """

    header = b""
    opening = b""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            length = self._resumable_length() if resume and path.exists() else 0
            # Unbuffered, so that a record is the operating system's as soon as it is written.
            self._stream = path.open("ab" if length else "wb", buffering=0)
            if length:
                self._stream.truncate(length)
            else:
                self._append(self.header)

    @abstractmethod
    def encode(self, rows: Sequence[Row]) -> bytes:
        """The records of `rows`, each with its line end."""

    @abstractmethod
    def complete_length(self, lines: Iterable[bytes]) -> int:
        """Number of bytes up to the end of the last complete record."""

    def write(self, rows: Sequence[Row]) -> None:
        """See `Table.write`."""
        with write_errors(self.path):
            self._append(self.encode(rows))

    def close(self) -> None:
        """See `Table.close`."""
        self._stream.close()

    def _resumable_length(self) -> int:
        with self.path.open("rb") as stream:
            start = stream.read(len(self.opening))
            if not self.opening.startswith(start):
                raise foreign_table(self.path)
            stream.seek(0)
            return self.complete_length(stream)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]


def foreign_table(path: Path) -> UsageError:
    """The error for a file that this version did not write."""
    return UsageError(
        f"{path} is not a table as this version of moeclip writes it, so it cannot be resumed; "
        "use --overwrite or choose another --out."
    )
