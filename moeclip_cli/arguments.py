"""Checks of values that a user gives, before anything that takes seconds is imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from numbers import Real
from typing import Any, TypeVar

from moeclip_cli.errors import UsageError

_LARGEST_BATCH = 4096

_T = TypeVar("_T")


def require_threshold(value: float) -> float:
    """The threshold.

    Raises:
        UsageError: if it is not a number, or outside [0, 1], the range of scores.
    """
    _require_number("threshold", value)
    if not 0 <= value <= 1:
        raise UsageError(f"`threshold` {_out_of_range(value)}.")
    return value


def require_unsure(value: float, threshold: float | None = None) -> float:
    """The score from which an image is unsure.

    Args:
        value: as the user gave it.
        threshold: score from which an image is anomalous, if it is known.

    Raises:
        UsageError: if it is not a number, outside [0, 1], the range of scores, or not below the
            threshold.
    """
    _require_number("unsure", value)
    if not 0 <= value <= 1:
        raise UsageError(f"`unsure` {_out_of_range(value)}.")
    if threshold is not None and value >= threshold:
        raise UsageError(f"`unsure` must be below the threshold, {threshold:g}, not {value:g}.")
    return value


def _require_number(name: str, value: object) -> None:
    # A setting that a program has read from a file or a variable is text.
    if not isinstance(value, Real):
        raise UsageError(f"`{name}` must be a number, not {value!r}.")


def _out_of_range(value: float) -> str:
    percent = f"; write {value:g}% as {value / 100:g}" if 1 < value <= 100 else ""
    return f"must be between 0 and 1, not {value:g}{percent}"


def require_batch_size(size: int) -> int:
    """The number of images per forward pass.

    Raises:
        UsageError: if it is not a number, or out of range.
    """
    _require_number("batch_size", size)
    if not 1 <= size <= _LARGEST_BATCH:
        raise UsageError(f"`batch_size` must be from 1 to {_LARGEST_BATCH}, not {size}.")
    return size


def require_device_name(name: str) -> str:
    """The name of a device, whether or not this machine has it.

    Raises:
        UsageError: if the name is unknown.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"Unknown device '{name}'; use auto, cpu, cuda, cuda:N or mps.")
    return name


def require_prompt(prompt: object) -> None:
    """Check that a prompt names something.

    Raises:
        UsageError: if it is empty, or is not text.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        what = "is empty" if isinstance(prompt, str) else f"is {prompt!r}"
        raise UsageError(f'`prompt` {what}; name the object, such as "metal bracket".')


def naming(prompt: str | Callable[[_T], str]) -> Callable[[_T], str]:
    """The function from an image to the name of its object, also for a single name.

    Raises:
        UsageError: if the name is empty, or is not text; for a function, when it is called.
    """
    if not callable(prompt):
        require_prompt(prompt)
        return lambda image: prompt

    def named(image: _T) -> str:
        name = prompt(image)
        require_prompt(name)
        return name

    return named


def require_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    """Check that a value is one of a few.

    Raises:
        UsageError: if it is not.
    """
    if value not in choices:
        raise UsageError(f"Unknown `{name}` {value!r}; use {' or '.join(choices)}.")


def require_at_least_one(name: str, value: int) -> None:
    """Check a number of things.

    Raises:
        UsageError: if it is less than 1.
    """
    if value < 1:
        raise UsageError(f"`{name}` must be at least 1, not {value}.")
