"""results.parquet: the same columns for data tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from moeclip_cli.errors import MissingExtraError
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.cells import KINDS, Cell, cells, readable
from moeclip_cli.reports.files import replacing, write_errors
from moeclip_cli.reports.jsonl_table import JsonlTable, encode_rows
from moeclip_cli.reports.table import Table, foreign_table

if TYPE_CHECKING:
    import pyarrow

ROWS_PER_GROUP = 16_384


class ParquetTable(Table):
    r"""A Parquet file, written when the table is closed.

    A Parquet file has no rows before it is finished. Until then they are in a JSONL spool beside
    it, `results.parquet.part.jsonl`, which survives a kill and is what a resumed run goes on with.
    A byte of a path that is not UTF-8 is written as e.g. `\udcff`.

    Args:
        path: the file; its folder is made.
        resume: go on with the rows of an existing spool or file; otherwise start anew.

    Raises:
        MissingExtraError: if pyarrow is not installed.
        UsageError: if the file cannot be written, or is to be resumed but is something else.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        require_pyarrow()
        self.path = path
        self._spool_path = path.with_name(path.name + ".part.jsonl")
        if not resume:
            with write_errors(path):
                path.unlink(missing_ok=True)
        elif path.exists() and not self._spool_path.exists():
            with replacing(self._spool_path) as spool:
                for rows in self._stored():
                    spool.write(encode_rows(rows))
        self._spool = JsonlTable(self._spool_path, resume=resume)

    def write(self, rows: Sequence[Row]) -> None:
        """See `Table.write`."""
        self._spool.write(rows)

    def rows(self) -> Iterator[Row]:
        """See `Table.rows`."""
        if self._spool_path.exists():
            yield from self._spool.rows()
        else:
            for rows in self._stored():
                yield from rows

    def close(self) -> None:
        """See `Table.close`."""
        self._spool.close()
        if not self._spool_path.exists():
            return
        from pyarrow import Table as ArrowTable
        from pyarrow.parquet import ParquetWriter

        schema = _schema()
        with replacing(self.path) as stream, ParquetWriter(stream, schema) as writer:
            for rows in _groups(self._spool.rows()):
                records = [_record(row) for row in rows]
                writer.write_table(ArrowTable.from_pylist(records, schema=schema))
        with write_errors(self._spool_path):
            self._spool_path.unlink()

    def _stored(self) -> Iterator[list[Row]]:
        """The rows of the finished file, a group at a time."""
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(self.path) as file:
                for batch in file.iter_batches(ROWS_PER_GROUP):
                    yield [Row(**record) for record in batch.to_pylist()]
        except (ValueError, TypeError) as error:
            raise foreign_table(self.path) from error


def require_pyarrow() -> None:
    """Check that the optional dependency is there.

    Raises:
        MissingExtraError: if it is not; the sentence names the line that installs it.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        message = 'Parquet needs pyarrow; install it with: pip install "moeclip[parquet]"'
        raise MissingExtraError(message) from error


def _schema() -> pyarrow.Schema:
    import pyarrow

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    return pyarrow.schema([(name, types[kind]) for name, kind in KINDS.items()])


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_PER_GROUP)):
        yield group


def _record(row: Row) -> dict[str, Cell]:
    values = cells(row)
    return {
        name: readable(value) if isinstance(value, str) else value for name, value in values.items()
    }
