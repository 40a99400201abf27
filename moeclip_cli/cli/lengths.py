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
            raise _unknown_scale(self)
        return self.value / millimetres


def length(value: Any) -> Length:
    """The length that a text or a value of a settings file stands for; a plain number is in pixels.

    Raises:
        ValueError: if it is none; the message says how to write one.
    """
    if isinstance(value, Length):
        return value
    found = _LENGTH.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError(f"{value!r} is not a length; write it as 12px or 0.6mm.")
    number, unit = found.groups()
    return Length(float(number.replace(",", ".")), "mm" if unit.lower() == "mm" else "px")


@dataclass(frozen=True)
class Area:
    """An area in pixels or square millimetres."""

    value: float
    unit: Literal["px", "mm2"]

    def pixels(self, millimetres: float | None) -> float:
        """The area in pixels.

        Args:
            millimetres: size of a pixel, if it is known.

        Raises:
            UsageError: if the area is in square millimetres and the size of a pixel is unknown.
        """
        if self.unit == "px":
            return self.value
        if millimetres is None:
            raise _unknown_scale(self)
        return self.value / millimetres**2


def area(value: Any) -> Area:
    """The area that a text or a value of a settings file stands for; a plain number is in pixels.

    Raises:
        ValueError: if it is none; the message says how to write one.
    """
    if isinstance(value, Area):
        return value
    found = _AREA.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError(f"{value!r} is not an area; write it as 30px or 0.1mm2.")
    number, unit = found.groups()
    return Area(float(number.replace(",", ".")), "mm2" if unit.lower().startswith("mm") else "px")


def _unknown_scale(size: Length | Area) -> UsageError:
    return UsageError(
        f"A size of {size.value:g} {size.unit} needs the size of a pixel as `scale`, such as "
        "0.05mm."
    )
