"""results.parquet: the same columns for data analysis tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.extras import require_extra
from moeclip_cli.files import replacing, write_errors
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.base import Table, foreign_table
from moeclip_cli.reports.tables.cells import (
    COLUMN_TYPES,
    Cell,
    cells,
    is_of_earlier_version,
    readable,
)
from moeclip_cli.reports.tables.jsonl_table import JsonlTable, encode_rows

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_GROUP = 16_384


class ParquetTable(Table):
    r"""A Parquet file, written when the table is closed.

    A Parquet file is not readable until it is finished. Until then, rows are in a JSONL spool file
    beside it, `results.parquet.part.jsonl`. It survives a killed process, and a resumed run
    continues from it. An undecodable byte of a path is written as e.g. `\udcff`.

    Args:
        path: the file; its folder is created.
        resume: keep the rows of an existing spool or file; otherwise replace them.

    Raises:
        MissingExtraError: if pyarrow is not installed.
        UsageError: if the file cannot be written, or the file to resume is not a results table.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        require_extra("pyarrow.parquet", "parquet")
        self.path = path
        self._spool_path = path.with_name(path.name + ".part.jsonl")
        if not resume:
            with write_errors(path):
                path.unlink(missing_ok=True)
        elif path.exists() and not self._spool_path.exists():
            self.outdated = is_of_earlier_version(_columns(path))
            with replacing(self._spool_path) as spool:
                for rows in () if self.outdated else _stored(path):
                    spool.write(encode_rows(rows))
        self._spool = JsonlTable(self._spool_path, resume=resume)
        self.outdated = self.outdated or self._spool.outdated

    @classmethod
    def read(cls, path: Path) -> Iterator[Row]:
        """See `Table.read`."""
        require_extra("pyarrow.parquet", "parquet")
        for rows in _stored(path):
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
        from pyarrow import Table as ArrowTable
        from pyarrow.parquet import ParquetWriter

        schema = _schema()
        with (
            replacing(self.path, durable=True) as stream,
            ParquetWriter(stream, schema) as writer,
        ):
            for rows in _groups(self._spool.rows()):
                records = [_record(row) for row in rows]
                writer.write_table(ArrowTable.from_pylist(records, schema=schema))
        with write_errors(self._spool_path):
            self._spool_path.unlink()


def _columns(path: Path) -> list[str]:
    """The columns of a finished file."""
    from pyarrow.parquet import read_schema

    try:
        names: list[str] = read_schema(path).names
    except ValueError as error:
        raise foreign_table(path) from error
    return names


def _stored(path: Path) -> Iterator[list[Row]]:
    """The rows of a finished file, one group at a time."""
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                yield [Row(**record) for record in batch.to_pylist()]
    except (ValueError, TypeError) as error:
        raise foreign_table(path) from error


def _schema() -> pyarrow.Schema:
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    return pyarrow.schema([(name, types[kind]) for name, kind in COLUMN_TYPES.items()])


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_PER_GROUP)):
        yield group


def _record(row: Row) -> dict[str, Cell]:
    values = cells(row)
    return {
        name: readable(value) if isinstance(value, str) else value for name, value in values.items()
    }
