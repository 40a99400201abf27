"""results.jsonl: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.cells import cells
from moeclip_cli.reports.table import TextTable, foreign_table


class JsonlTable(TextTable):
    """One object a line, every column in it, null for what is missing."""

    opening = f'{{"{COLUMNS[0]}"'.encode()

    def encode(self, rows: Sequence[Row]) -> bytes:
        """See `TextTable.encode`."""
        return encode_rows(rows)

    def complete_length(self, lines: Iterable[bytes]) -> int:
        """See `TextTable.complete_length`."""
        return sum(len(line) for line in lines if line.endswith(b"\n"))

    def rows(self) -> Iterator[Row]:
        """See `Table.rows`."""
        try:
            with self.path.open(encoding="utf-8") as lines:
                for line in lines:
                    yield Row(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise foreign_table(self.path) from error


def encode_rows(rows: Iterable[Row]) -> bytes:
    """UTF-8 lines, one JSON object each."""
    text = "".join(json.dumps(cells(row), ensure_ascii=False) + "\n" for row in rows)
    # A path's byte that is not UTF-8 is a lone surrogate; what "backslashreplace" writes for it
    # is the JSON escape that reads back as the same surrogate.
    return text.encode("utf-8", "backslashreplace")
