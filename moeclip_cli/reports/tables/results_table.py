"""The results table of a run: its file formats and its path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from moeclip_cli.choices import TableFormat
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.result import Row
from moeclip_cli.reports.tables.base import Table, TextTable
from moeclip_cli.reports.tables.csv_table import CsvTable, ExcelCsvTable, GermanExcelCsvTable
from moeclip_cli.reports.tables.excel_table import ExcelTable
from moeclip_cli.reports.tables.jsonl_table import JsonlTable
from moeclip_cli.reports.tables.parquet_table import ParquetTable

_TABLES: dict[str, type[CsvTable] | type[JsonlTable] | type[ParquetTable] | type[ExcelTable]] = {
    "csv": CsvTable,
    "csv-excel": ExcelCsvTable,
    "csv-excel-de": GermanExcelCsvTable,
    "jsonl": JsonlTable,
    "parquet": ParquetTable,
    "xlsx": ExcelTable,
}


def table_path(folder: Path, table_format: TableFormat) -> Path:
    """The path of the table, such as `results.csv`, in `folder`."""
    return folder / f"results.{table_format.partition('-')[0]}"


def open_table(folder: Path, table_format: TableFormat, *, resume: bool) -> Table:
    """Open the results table in `folder` for writing.

    Args:
        folder: the run's output folder; created if missing.
        table_format: file format of the table.
        resume: keep existing rows and append to them; otherwise replace an existing table.

    Raises:
        UsageError: if the format is unknown, the file cannot be written, or the file to resume is
            not a results table.
        MissingExtraError: if the format requires a package that is not installed.
    """
    if table_format not in _TABLES:
        message = f'Unknown table format "{table_format}". Choose {", ".join(_TABLES)}.'
        raise UsageError(message)
    return _TABLES[table_format](table_path(folder, table_format), resume=resume)


def growing_table(folder: Path, table_format: TableFormat) -> tuple[type[TextTable], Path] | None:
    """The class and the file of the rows that a run appends; None if there are none yet.

    A table that is not readable until it is finished has a spool until then; once it is finished,
    only `read_table` reads it.
    """
    kind, path = _TABLES[table_format], table_path(folder, table_format)
    if issubclass(kind, TextTable):
        return (kind, path) if path.exists() else None
    spool = kind.spool_path(path)
    return (JsonlTable, spool) if spool.exists() else None


def read_table(folder: Path, table_format: TableFormat) -> Iterator[Row]:
    """Iterate over the rows of the finished results table in `folder`.

    Raises:
        UsageError: if the file is not a results table of this version.
        MissingExtraError: if the format requires a package that is not installed.
    """
    return _TABLES[table_format].read(table_path(folder, table_format))
