"""Base class of tables in files that are not readable until they are finished."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.extras import require_extra
from moeclip_cli.files import replacing, write_errors
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.base import Table
from moeclip_cli.reports.tables.cells import Cell, cells, is_of_earlier_version, readable
from moeclip_cli.reports.tables.jsonl_table import JsonlTable, encode_rows


class SpooledTable(Table):
    r"""A table whose file is written when it is closed.

    Until then, rows are in a JSONL spool file beside it, `NAME.part.jsonl`. It survives a killed
    process, and a resumed run continues from it. An undecodable byte of a path is written as e.g.
    `\udcff`.

    Args:
        path: the file; its folder is created.
        resume: keep the rows of an existing spool or file; otherwise replace them.

    Attributes:
        module: the module of the optional dependency.
        extra: the extra of moeclip that installs it.

    Raises:
        MissingExtraError: if the dependency is not installed.
        UsageError: if the file cannot be written, or the file to resume is not a results table.
    """

    module: ClassVar[str]
    extra: ClassVar[str]

    def __init__(self, path: Path, *, resume: bool) -> None:
        require_extra(self.module, self.extra)
        self.path = path
        self._spool_path = self.spool_path(path)
        if not resume:
            with write_errors(path):
                path.unlink(missing_ok=True)
        elif path.exists() and not self._spool_path.exists():
            self.outdated = is_of_earlier_version(self.columns(path))
            with replacing(self._spool_path) as spool:
                for rows in () if self.outdated else self.stored(path):
                    spool.write(encode_rows(rows))
        self._spool = JsonlTable(self._spool_path, resume=resume)
        self.outdated = self.outdated or self._spool.outdated

    @staticmethod
    def spool_path(path: Path) -> Path:
        """The spool file beside a table."""
        return path.with_name(path.name + ".part.jsonl")

    @classmethod
    @abstractmethod
    def columns(cls, path: Path) -> list[str]:
        """The columns of a finished file.

        Raises:
            UsageError: if it is not a results table.
        """

    @classmethod
    @abstractmethod
    def stored(cls, path: Path) -> Iterator[list[Row]]:
        """The rows of a finished file, some at a time.

        Raises:
            UsageError: if it is not a results table of this version.
        """

    @classmethod
    @abstractmethod
    def store(cls, rows: Iterable[Row], stream: BinaryIO) -> None:
        """Write a finished file with these rows."""

    @classmethod
    def read(cls, path: Path) -> Iterator[Row]:
        """See `Table.read`."""
        require_extra(cls.module, cls.extra)
        for rows in cls.stored(path):
            yield from rows

    def write(self, rows: Sequence[Row]) -> None:
        """See `Table.write`."""
        self._spool.write(rows)

    def rows(self) -> Iterator[Row]:
        """See `Table.rows`."""
        if self._spool_path.exists():
            yield from self._spool.rows()
        else:
            yield from self.read(self.path)

    def keep(self, positions: NDArray[np.int64]) -> None:
        """See `Table.keep`."""
        self._spool.keep(positions)

    def close(self) -> None:
        """See `Table.close`."""
        self._spool.close()
        if not self._spool_path.exists():
            return
        with replacing(self.path, durable=True) as stream:
            self.store(self._spool.rows(), stream)
        with write_errors(self._spool_path):
            self._spool_path.unlink()


def record(row: Row) -> dict[str, Cell]:
    """The cells of a row by column, with text that is valid Unicode."""
    return {
        name: readable(value) if isinstance(value, str) else value
        for name, value in cells(row).items()
    }
