"""results.csv: RFC 4180, UTF-8, safe to open in a spreadsheet; and its dialects for Excel."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.base import TextTable
from moeclip_cli.reports.tables.cells import COLUMN_TYPES, Cell, cells
from moeclip_cli.reports.tables.control_characters import escape_controls, unescape_controls
from moeclip_cli.reports.tables.spreadsheet import escape_formula, unescape_formula


class CsvTable(TextTable):
    r"""Comma-separated values with a header, CRLF line ends and empty cells for missing values.

    Text that a spreadsheet would run as a formula is written with a leading apostrophe. Control
    characters, which would act on a terminal, and undecodable bytes of a path are spelt out, e.g.
    `\x1b` and `\udcff`. Reading the table reverses both.

    Attributes:
        delimiter: between cells.
        decimal: the decimal separator.
    """

    delimiter: ClassVar[str] = ","
    decimal: ClassVar[str] = "."
    header = opening = (delimiter.join(COLUMNS) + "\r\n").encode()

    def encode(self, rows: Sequence[Row]) -> bytes:
        """See `TextTable.encode`."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator="\r\n")
        for row in rows:
            writer.writerow([self._escape(value) for value in cells(row).values()])
        return text.getvalue().encode()

    @classmethod
    def columns(cls, path: Path) -> list[str]:
        """See `TextTable.columns`."""
        with path.open("rb") as stream:
            line = stream.readline().decode("utf-8-sig", "replace").rstrip("\r\n")
        return line.split(cls.delimiter)

    @classmethod
    def split(cls, lines: Iterable[bytes]) -> Iterator[bytes]:
        """See `TextTable.split`; a line end inside quotes does not end a record."""
        record: list[bytes] = []
        quotes = 0
        for line in lines:
            record.append(line)
            quotes += line.count(b'"')
            if line.endswith(b"\r\n") and quotes % 2 == 0:
                yield b"".join(record)
                record.clear()

    @classmethod
    def decode(cls, record: bytes) -> Row:
        """See `TextTable.decode`."""
        try:
            (found,) = csv.reader([record.decode("utf-8")], delimiter=cls.delimiter, strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error
        values = {
            name: cls._value(name, cell) for name, cell in zip(COLUMNS, found, strict=True) if cell
        }
        return Row(**{"path": "", **values})

    @classmethod
    def _escape(cls, cell: Cell) -> Cell:
        if isinstance(cell, str):
            return escape_controls(escape_formula(cell))
        if isinstance(cell, float) and cls.decimal != ".":
            return str(cell).replace(".", cls.decimal)
        return cell

    @classmethod
    def _value(cls, name: str, cell: str) -> Any:
        kind = COLUMN_TYPES[name]
        if kind is float:
            cell = cell.replace(cls.decimal, ".")
        return kind(unescape_formula(unescape_controls(cell)))


class ExcelCsvTable(CsvTable):
    """The same with a byte order mark, by which Excel knows UTF-8."""

    header = opening = codecs.BOM_UTF8 + CsvTable.header


class GermanExcelCsvTable(ExcelCsvTable):
    """Semicolons and decimal commas, as Excel opens them where German is spoken."""

    delimiter, decimal = ";", ","
    header = opening = codecs.BOM_UTF8 + (delimiter.join(COLUMNS) + "\r\n").encode()
