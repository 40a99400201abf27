"""Lengths and areas as people type them: 12px, 12, 0.6mm and 0,6 mm; 30px and 0.1mm2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from moeclip_cli.errors import UsageError

_NUMBER = r"\s*(\d+(?:[.,]\d*)?|[.,]\d+)\s*"
_LENGTH = re.compile(rf"{_NUMBER}(px|mm|)\s*", re.IGNORECASE)
_AREA = re.compile(rf"{_NUMBER}(px|px2|px²|mm2|mm²|)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Measure:
    """A length or an area with its unit; px of an area are its pixels."""

    value: float
    unit: Literal["px", "mm", "mm2"]

    def pixels(self, millimetres: float | None) -> float:
        """The length or area in pixels.

        Args:
            millimetres: side of a pixel, if it is known.

        Raises:
            UsageError: if the unit is not px and the side of a pixel is unknown.
        """
        if self.unit == "px":
            return self.value
        if millimetres is None:
            raise UsageError(
                f"A size of {self.value:g} {self.unit} needs the size of a pixel as `scale`, such "
                "as 0.05mm."
            )
        return self.value / millimetres ** (1 if self.unit == "mm" else 2)


def length(value: Any) -> Measure:
    """The length that a text or a value of a settings file stands for; a plain number is in pixels.

    Raises:
        ValueError: if it is not a length; the message says how to write one.
    """
    return _read(value, _LENGTH, "mm", "a length; write it as 12px or 0.6mm")


def area(value: Any) -> Measure:
    """The area that a text or a value of a settings file stands for; a plain number is in pixels.

    Raises:
        ValueError: if it is not an area; the message says how to write one.
    """
    return _read(value, _AREA, "mm2", "an area; write it as 30px or 0.1mm2")


def _read(value: Any, form: re.Pattern[str], metric: Literal["mm", "mm2"], remedy: str) -> Measure:
    if isinstance(value, Measure):
        return value
    found = None if isinstance(value, bool) else form.fullmatch(str(value))
    if found is None:
        raise ValueError(f"{value!r} is not {remedy}.")
    number, unit = found.groups()
    return Measure(
        float(number.replace(",", ".")), metric if unit.lower().startswith("mm") else "px"
    )
