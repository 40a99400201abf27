"""results.jsonl: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.reports.tables.base import TextTable
from moeclip_cli.reports.tables.cells import cells


class JsonlTable(TextTable):
    """One object per line with every column; null for missing values."""

    opening = f'{{"{COLUMNS[0]}"'.encode()

    def encode(self, rows: Sequence[Row]) -> bytes:
        """See `TextTable.encode`."""
        return encode_rows(rows)

    @classmethod
    def columns(cls, path: Path) -> list[str]:
        """See `TextTable.columns`."""
        with path.open("rb") as stream:
            try:
                first = json.loads(stream.readline())
            except ValueError:
                return []
        return list(first) if isinstance(first, dict) else []

    @classmethod
    def split(cls, lines: Iterable[bytes]) -> Iterator[bytes]:
        """See `TextTable.split`."""
        return (line for line in lines if line.endswith(b"\n"))

    @classmethod
    def decode(cls, record: bytes) -> Row:
        """See `TextTable.decode`."""
        return Row(**json.loads(record))


def encode_rows(rows: Iterable[Row]) -> bytes:
    """ASCII lines, one JSON object per row; all other characters are JSON escapes.

    A terminal can therefore show the lines safely, and the lone surrogate that stands for an
    undecodable byte of a path is read back as the same surrogate.
    """
    return "".join(json.dumps(cells(row)) + "\n" for row in rows).encode()
