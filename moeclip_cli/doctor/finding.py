"""The result of one check of an installation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: subject of the check, such as "torch".
        value: result in a few words.
        problem: one sentence with the problem and its remedy; None if there is no problem.
    """

    name: str
    value: str
    problem: str | None = None


def model_failure(problem: str) -> Finding:
    """Return the finding that the built-in model does not run."""
    return Finding("built-in model", "does not work", problem)
