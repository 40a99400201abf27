"""results.parquet: the same columns for data analysis tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.base import foreign_table
from moeclip_cli.reports.tables.cells import COLUMN_TYPES
from moeclip_cli.reports.tables.spooled_table import SpooledTable, record

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_GROUP = 16_384


class ParquetTable(SpooledTable):
    """A Parquet file."""

    module, extra = "pyarrow.parquet", "parquet"

    @classmethod
    def columns(cls, path: Path) -> list[str]:
        """See `SpooledTable.columns`."""
        from pyarrow.parquet import read_schema

        try:
            names: list[str] = read_schema(path).names
        except ValueError as error:
            raise foreign_table(path) from error
        return names

    @classmethod
    def stored(cls, path: Path) -> Iterator[list[Row]]:
        """See `SpooledTable.stored`; one group at a time."""
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS_PER_GROUP):
                    yield [Row(**values) for values in batch.to_pylist()]
        except (ValueError, TypeError) as error:
            raise foreign_table(path) from error

    @classmethod
    def store(cls, rows: Iterable[Row], stream: BinaryIO) -> None:
        """See `SpooledTable.store`."""
        from pyarrow import Table as ArrowTable
        from pyarrow.parquet import ParquetWriter

        schema = _schema()
        with ParquetWriter(stream, schema) as writer:
            for group in _groups(rows):
                records = [record(row) for row in group]
                writer.write_table(ArrowTable.from_pylist(records, schema=schema))


def _schema() -> pyarrow.Schema:
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    return pyarrow.schema([(name, types[kind]) for name, kind in COLUMN_TYPES.items()])


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_PER_GROUP)):
        yield group
