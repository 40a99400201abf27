"""results.csv: RFC 4180, UTF-8, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.cells import KINDS, Cell, cells
from moeclip_cli.reports.table import TextTable, foreign_table

# The apostrophes before the dangerous character make quoting reversible: a text that already looks
# quoted gets one more.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r]")


class CsvTable(TextTable):
    r"""Comma-separated values with a header, CRLF line ends and empty cells for what is missing.

    A text that a spreadsheet would run as a formula is written with an apostrophe before it, and a
    byte of a path that is not UTF-8 as e.g. `\udcff`.
    """

    header = opening = (",".join(COLUMNS) + "\r\n").encode()

    def encode(self, rows: Sequence[Row]) -> bytes:
        """See `TextTable.encode`."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        for row in rows:
            writer.writerow([_written(value) for value in cells(row).values()])
        return text.getvalue().encode("utf-8", "backslashreplace")

    def complete_length(self, lines: Iterable[bytes]) -> int:
        """See `TextTable.complete_length`; a line end inside quotes ends no record."""
        complete = length = quotes = 0
        for line in lines:
            length += len(line)
            quotes += line.count(b'"')
            if line.endswith(b"\r\n") and quotes % 2 == 0:
                complete = length
        return complete

    def rows(self) -> Iterator[Row]:
        """See `Table.rows`."""
        try:
            with self.path.open(encoding="utf-8", newline="") as stream:
                records = csv.reader(stream, strict=True)
                next(records, None)
                for record in records:
                    yield _read(record)
        except (ValueError, csv.Error) as error:
            raise foreign_table(self.path) from error


def _written(value: Cell) -> Cell:
    if isinstance(value, str) and _FORMULA.match(value):
        return "'" + value
    return value


def _read(record: list[str]) -> Row:
    values = {
        name: KINDS[name](cell[1:] if _QUOTED_FORMULA.match(cell) else cell)
        for name, cell in zip(COLUMNS, record, strict=True)
        if cell
    }
    return Row(**{"path": "", **values})
