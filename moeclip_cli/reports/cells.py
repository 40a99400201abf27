"""How one value of a row looks in a table: kinds of columns, numbers, odd characters."""

from __future__ import annotations

import math
from typing import get_args, get_type_hints

from moeclip_cli.inspection.result import COLUMNS, Row

Cell = str | int | float | None

# 9 significant digits tell any two float32 numbers apart.
_DIGITS = 9


def _kinds() -> dict[str, type]:
    hints = get_type_hints(Row)
    return {name: (get_args(hints[name]) or (hints[name],))[0] for name in COLUMNS}


KINDS: dict[str, type] = _kinds()
"""Column name -> `str`, `int` or `float`; every column but `path` may also be empty."""


def compact(value: float) -> float | None:
    """`value` to 9 significant digits, so that it prints short; nan and infinities are empty."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def readable(text: str) -> str:
    r"""`text` as valid Unicode: a byte that is not UTF-8 in a file name becomes e.g. `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cells(row: Row) -> dict[str, Cell]:
    """The row's values by column, numbers made compact."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return {
        name: compact(value) if KINDS[name] is float and value is not None else value
        for name, value in values.items()
    }
