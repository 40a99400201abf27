"""The rows of a watch: the table and the log of inputs grow together, one durable row at a time."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from moeclip_cli.errors import UsageError
from moeclip_cli.files import Closable, is_present
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.base import TextTable
from moeclip_cli.reports.tables.cells import is_of_earlier_version
from moeclip_cli.reports.tables.csv_table import CsvTable
from moeclip_cli.reports.tables.jsonl_table import JsonlTable
from moeclip_cli.runs.input_log import InputLog, InputRecord, read_records
from moeclip_cli.runs.summary import Summary
from moeclip_cli.watch.picture import state_key
from moeclip_cli.watch.seen import Seen

_TABLES: dict[str, type[TextTable]] = {"csv": CsvTable, "jsonl": JsonlTable}


class Rows(Closable):
    """The rows so far, and those to come.

    Args:
        folder: the output folder.
        table_format: "csv" or "jsonl".
        resume: keep existing rows; otherwise replace the files.

    Attributes:
        summary: counts of all rows.
        states: state keys of the pictures with a row.
        names: names of the pictures with a row.

    Raises:
        UsageError: if a file cannot be written, or the rows were written by another version.
    """

    def __init__(self, folder: Path, table_format: str, *, resume: bool) -> None:
        kind = _TABLES[table_format]
        path = folder / f"results.{table_format}"
        if resume and is_present(path) and is_of_earlier_version(kind.columns(path)):
            raise UsageError(
                f"{path} is of an earlier version of moeclip, which has fewer columns; choose "
                "another `out` for the pictures from now on, with `only_new`."
            )
        self.summary = Summary()
        with ExitStack() as stack:
            self._table = stack.enter_context(kind(path, resume=resume))
            self._log = stack.enter_context(InputLog(folder, resume=resume))
            for row in self._table.rows():
                self.summary.add(row, now=False)
            self.logged = sum(1 for _ in read_records(self._log.path))
            log = self._log.path
            self.states = Seen(state_key(r.name, r.size, r.modified_ns) for r in read_records(log))
            self.names = Seen(record.name for record in read_records(log))
            self._stack = stack.pop_all()

    def __len__(self) -> int:
        return self.summary.images

    def complete(self, number: int, row: Row, record: InputRecord) -> None:
        """Write a row and its record durably, as far as a killed process has not done so.

        Args:
            number: number of rows before this one.
            row: the row.
            record: the state of its picture.

        Raises:
            UsageError: if a file cannot be written, or does not have the earlier rows.
        """
        if self.logged == number:
            self._log.add(record)
            self._log.sync()
            self.logged += 1
            self.states.add(state_key(record.name, record.size, record.modified_ns))
            self.names.add(record.name)
        if len(self) == number:
            self._table.write([row])
            self._table.sync()
            self.summary.add(row)
        self.require_even()
        if len(self) != number + 1:
            raise UsageError(
                f"{self._table.path} has {len(self)} rows instead of {number + 1}: it was changed. "
                "Choose another `out`, or replace the results with `overwrite`."
            )

    def require_even(self) -> None:
        """Check that each row has a record.

        Raises:
            UsageError: if not, because a file was changed or damaged.
        """
        if self.logged != len(self):
            raise UsageError(
                f"{self._table.path} has {len(self)} rows, but {self._log.path} has {self.logged} "
                "records: one of them was changed or damaged. Choose another `out`, or replace the "
                "results with `overwrite`."
            )

    def close(self) -> None:
        """Finish the files. Closing them twice is harmless."""
        self._stack.close()
