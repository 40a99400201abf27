"""The table that `moeclip score` writes by default."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from moeclip_cli.inspection.result import COLUMNS

OUT = Path("moeclip-out")


def read_rows(folder: Path = OUT) -> list[dict[str, str]]:
    """The rows of `results.csv`."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def assert_same_rows(one: Path, other: Path) -> None:
    """Equal, but for the rounding that differs between batches of different sizes."""
    for row, reference in zip(read_rows(one), read_rows(other), strict=True):
        for column in COLUMNS:
            if "." in row[column] and column not in ("path", "model", "error"):
                assert float(row[column]) == pytest.approx(float(reference[column]), abs=1e-5)
            else:
                assert row[column] == reference[column]
