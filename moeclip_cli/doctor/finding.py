"""One thing that is known about an installation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at and what was found.

    Attributes:
        name: what was looked at, such as "torch".
        value: what was found, in a few words.
        problem: one sentence that says what is wrong and what to do, if something is.
    """

    name: str
    value: str
    problem: str | None = None


def does_not_run(problem: str) -> Finding:
    """The finding that the built-in model does not run."""
    return Finding("built-in model", "does not work", problem)
