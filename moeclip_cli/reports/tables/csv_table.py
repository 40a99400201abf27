"""results.csv: RFC 4180, UTF-8, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

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
    """

    header = opening = (",".join(COLUMNS) + "\r\n").encode()

    def encode(self, rows: Sequence[Row]) -> bytes:
        """See `TextTable.encode`."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        for row in rows:
            writer.writerow([_escape(value) for value in cells(row).values()])
        return text.getvalue().encode()

    @classmethod
    def columns(cls, path: Path) -> list[str]:
        """See `TextTable.columns`."""
        with path.open("rb") as stream:
            return stream.readline().decode("utf-8", "replace").rstrip("\r\n").split(",")

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
            (cells_of_row,) = csv.reader([record.decode("utf-8")], strict=True)
        except csv.Error as error:
            raise ValueError(str(error)) from error
        return _read(cells_of_row)


def _escape(cell: Cell) -> Cell:
    return escape_controls(escape_formula(cell)) if isinstance(cell, str) else cell


def _read(record: list[str]) -> Row:
    values = {
        name: COLUMN_TYPES[name](unescape_formula(unescape_controls(cell)))
        for name, cell in zip(COLUMNS, record, strict=True)
        if cell
    }
    return Row(**{"path": "", **values})
