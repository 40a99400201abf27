"""results.xlsx: the same columns as an Excel workbook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.base import foreign_table
from moeclip_cli.reports.tables.cells import COLUMN_TYPES, Cell
from moeclip_cli.reports.tables.control_characters import escape_controls, unescape_controls
from moeclip_cli.reports.tables.spooled_table import SpooledTable, record

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

# Rows of a sheet, the header included, that spreadsheet programs can open.
ROWS_PER_SHEET = 1_048_576
_ROWS_READ = 1_000
_MAX_TEXT = 32_767
_PATH_WIDTH, _TEXT_WIDTH, _NUMBER_WIDTH = 40, 18, 11


class ExcelTable(SpooledTable):
    r"""An Excel workbook; what does not fit on a sheet goes on to the next one.

    Text stays text, also where it begins like a formula. Control characters, which a workbook
    cannot hold, are spelt out, e.g. `\x1b`.
    """

    module, extra = "openpyxl", "excel"

    @classmethod
    def columns(cls, path: Path) -> list[str]:
        """See `SpooledTable.columns`."""
        for sheet in _sheets(path):
            return [str(cell) for cell in next(sheet.values, ())]
        return []

    @classmethod
    def stored(cls, path: Path) -> Iterator[list[Row]]:
        """See `SpooledTable.stored`."""
        try:
            for sheet in _sheets(path):
                values = sheet.values
                if tuple(next(values, ())) != COLUMNS:
                    raise foreign_table(path)
                while rows := [_row(cells) for cells in islice(values, _ROWS_READ)]:
                    yield rows
        except (ValueError, TypeError) as error:
            raise foreign_table(path) from error

    @classmethod
    def store(cls, rows: Iterable[Row], stream: BinaryIO) -> None:
        """See `SpooledTable.store`."""
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        sheet, free = _new_sheet(book), ROWS_PER_SHEET - 1
        for row in rows:
            if not free:
                sheet, free = _new_sheet(book), ROWS_PER_SHEET - 1
            sheet.append([_cell(sheet, value) for value in record(row).values()])
            free -= 1
        book.save(stream)


def _sheets(path: Path) -> Iterator[ReadOnlyWorksheet]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True)
    except (InvalidFileException, BadZipFile, KeyError, ValueError) as error:
        raise foreign_table(path) from error
    try:
        yield from book.worksheets
    finally:
        book.close()


def _new_sheet(book: Any) -> WriteOnlyWorksheet:
    """A sheet with the header, which stays in view and filters the columns."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    number = len(book.worksheets) + 1
    sheet = book.create_sheet("results" if number == 1 else f"results {number}")
    for position, name in enumerate(COLUMNS, start=1):
        width = _TEXT_WIDTH if COLUMN_TYPES[name] is str else _NUMBER_WIDTH
        letter = get_column_letter(position)
        sheet.column_dimensions[letter].width = _PATH_WIDTH if name == "path" else width
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}1"
    heads = [WriteOnlyCell(sheet, name) for name in COLUMNS]
    for head in heads:
        head.font = Font(bold=True)
    sheet.append(heads)
    return sheet


def _cell(sheet: WriteOnlyWorksheet, value: Cell) -> Any:
    if not isinstance(value, str):
        return value
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, escape_controls(value)[:_MAX_TEXT])
    cell.data_type = "s"  # not a formula
    return cell


def _row(cells: tuple[Any, ...]) -> Row:
    """The row of a sheet's row, which ends at its last cell that is not empty."""
    values: dict[str, Any] = {
        name: unescape_controls(cell) if isinstance(cell, str) else COLUMN_TYPES[name](cell)
        for name, cell in zip(COLUMNS, cells, strict=False)
        if cell is not None
    }
    return Row(**{"path": "", **values})
