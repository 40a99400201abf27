"""The cells of a table row: column types, number format and valid Unicode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args, get_type_hints

from moeclip_cli.inspection.result import COLUMNS, Row

Cell = str | int | float | None

# 9 significant digits distinguish any two float32 numbers.
_DIGITS = 9


def _column_types() -> dict[str, type]:
    hints = get_type_hints(Row)
    return {name: (get_args(hints[name]) or (hints[name],))[0] for name in COLUMNS}


COLUMN_TYPES: dict[str, type] = _column_types()
"""Column name -> `str`, `int` or `float`. Every column except `path` may also be empty."""


def is_of_earlier_version(columns: Sequence[str]) -> bool:
    """Return True for the columns of a table that an earlier version wrote, which has fewer."""
    known = [name for name in COLUMNS if name in columns]
    return known == list(columns) and COLUMNS[:4] == tuple(known[:4]) and len(known) < len(COLUMNS)


def compact(value: float) -> float | None:
    """`value` rounded to 9 significant digits, for a short repr; None if it is not finite."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def readable(text: str) -> str:
    r"""`text` as valid Unicode: an undecodable byte of a file name becomes e.g. `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cells(row: Row) -> dict[str, Cell]:
    """The values of a row by column, with compact numbers."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return {
        name: compact(value) if COLUMN_TYPES[name] is float and value is not None else value
        for name, value in values.items()
    }
