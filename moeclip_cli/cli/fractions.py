"""Fractions as people type them: 0.05, 5%, 5 % and 0,05."""

from __future__ import annotations

import re
from typing import Any

_FORM = re.compile(r"\s*(-?(?:\d+(?:[.,]\d*)?|[.,]\d+))\s*(%?)\s*")


def fraction(value: Any) -> float:
    """The number that a text or a value of a settings file stands for.

    Raises:
        ValueError: if it is none; the message says how to write one.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = _FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a fraction; write it as 0.05 or 5%.")
    number, percent = found.groups()
    parsed = float(number.replace(",", "."))
    return parsed / 100 if percent else parsed
