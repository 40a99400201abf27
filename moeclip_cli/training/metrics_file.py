"""A CSV file of metrics, with a row per step or epoch, that a resumed training continues."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from moeclip_cli.files import append_whole, replacing, write_errors


class MetricsFile:
    """A CSV file whose first column is the step.

    Args:
        path: the file.
        columns: all columns but the first.
        keep_until: rows of later steps are removed, because these steps will be repeated.

    Raises:
        UsageError: if it cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, keep_until: int) -> None:
        self._path = path
        self._columns = ["step", *columns]
        rows = [row for row in self._rows() if int(row["step"]) <= keep_until]
        with replacing(path) as stream:
            stream.write(self._lines(rows, header=True))

    def add(self, step: int, values: Mapping[str, float | int | None]) -> None:
        """Append a row and write it to disk.

        Raises:
            UsageError: if it cannot be written.
        """
        row = {"step": str(step)}
        for name, value in values.items():
            row[name] = "" if value is None else f"{value:.6g}"
        with write_errors(self._path), self._path.open("ab", buffering=0) as stream:
            append_whole(stream, self._lines([row], header=False))

    def _rows(self) -> list[dict[str, str]]:
        if not self._path.exists():
            return []
        with write_errors(self._path), self._path.open(encoding="utf-8", newline="") as stream:
            # A killed process may have left half a row.
            return [row for row in csv.DictReader(stream) if None not in row.values()]

    def _lines(self, rows: Sequence[Mapping[str, str]], *, header: bool) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
