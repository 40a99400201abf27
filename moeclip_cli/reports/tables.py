"""The results table of a run, in the format that the user asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from moeclip_cli.errors import UsageError
from moeclip_cli.reports.csv_table import CsvTable
from moeclip_cli.reports.jsonl_table import JsonlTable
from moeclip_cli.reports.parquet_table import ParquetTable
from moeclip_cli.reports.table import Table

TableFormat = Literal["csv", "jsonl", "parquet"]

_TABLES: dict[str, type[CsvTable] | type[JsonlTable] | type[ParquetTable]] = {
    "csv": CsvTable,
    "jsonl": JsonlTable,
    "parquet": ParquetTable,
}


def table_path(folder: Path, table_format: TableFormat) -> Path:
    """Where `open_table` keeps the table: `results.csv`, `results.jsonl` or `results.parquet`."""
    return folder / f"results.{table_format}"


def open_table(folder: Path, table_format: TableFormat, *, resume: bool) -> Table:
    """The results table of `folder`, ready for rows.

    Args:
        folder: the run's output folder; made if missing.
        table_format: which of the formats.
        resume: keep the rows that are there and add to them; otherwise start anew, replacing a
            table of an earlier run.

    Raises:
        UsageError: if the format is unknown, the file cannot be written, or a file that is to be
            resumed is not such a table.
        MissingExtraError: if the format needs a package that is not installed.
    """
    if table_format not in _TABLES:
        message = f'There is no table format "{table_format}"; use {", ".join(_TABLES)}.'
        raise UsageError(message)
    return _TABLES[table_format](table_path(folder, table_format), resume=resume)
