"""Lengths as people type them: 12px, 12, 0.6mm and 0,6 mm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from moeclip_cli.errors import UsageError

_FORM = re.compile(r"\s*(\d+(?:[.,]\d*)?|[.,]\d+)\s*(px|mm|)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Length:
    """A length with its unit."""

    value: float
    unit: Literal["px", "mm"]

    def pixels(self, millimetres: float | None) -> float:
        """The length in pixels.

        Args:
            millimetres: size of a pixel, if it is known.

        Raises:
            UsageError: if the length is in millimetres and the size of a pixel is unknown.
        """
        if self.unit == "px":
            return self.value
        if millimetres is None:
            raise UsageError(
                f"A length of {self.value:g} mm needs the size of a pixel as `scale`, such as "
                "0.05mm."
            )
        return self.value / millimetres


def length(value: Any) -> Length:
    """The length that a text or a value of a settings file stands for; a plain number is in pixels.

    Raises:
        ValueError: if it is none; the message says how to write one.
    """
    if isinstance(value, Length):
        return value
    found = _FORM.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError(f"{value!r} is not a length; write it as 12px or 0.6mm.")
    number, unit = found.groups()
    return Length(float(number.replace(",", ".")), "mm" if unit.lower() == "mm" else "px")
