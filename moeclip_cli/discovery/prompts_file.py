"""Prompts files: the name of the object on each image, for runs that mix products."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moeclip_cli.bounded_text import MEGABYTE, parse_toml, read_small_text, shortened
from moeclip_cli.discovery.path_pattern import PathPattern
from moeclip_cli.errors import UsageError

DEFAULT_PROMPT = "object"
"""Name of the object on an image for which the user gives no other."""

_MOST_RULES = 10_000


@dataclass(frozen=True)
class PromptPattern(PathPattern):
    """One line of a prompts file.

    Attributes:
        pattern, absolute, folder: see `PathPattern`.
        prompt: name of the object.
    """

    prompt: str


@dataclass(frozen=True)
class PromptRules:
    """Names of objects by path pattern; the first matching pattern decides.

    A TOML or JSON file maps patterns to names:

        "bolts/" = "steel bolt"
        "left/*.png" = "left bracket"
        "*" = "metal part"

    Patterns are those of `PathPattern`.

    Attributes:
        rules: the lines of the file, in order.
    """

    rules: tuple[PromptPattern, ...]

    @classmethod
    def load(cls, path: Path) -> PromptRules:
        """Read a prompts file.

        Raises:
            UsageError: if the file cannot be read, is larger than 1 MB, has more than 10,000 rules
                or does not map patterns to names.
        """
        table = _read(path)
        if len(table) > _MOST_RULES:
            raise UsageError(
                f"{path} contains {len(table):,} rules, more than {_MOST_RULES:,}; use patterns "
                "that match several images."
            )
        if not table:
            raise UsageError(
                f'{path} contains no rules; add lines such as "bolts/" = "steel bolt".'
            )
        return cls(tuple(_rule(path, pattern, prompt) for pattern, prompt in table.items()))

    def prompt_for(self, path: Path) -> str | None:
        """Return the name of the object on the image at a path; None if no pattern matches.

        Args:
            path: path of the image, as the user wrote it.
        """
        for rule in self.rules:
            if rule.matches(path):
                return rule.prompt
        return None


def _rule(path: Path, pattern: str, prompt: Any) -> PromptPattern:
    shown = shortened(pattern)
    if isinstance(prompt, dict):
        raise UsageError(
            f"{path}: the value of {shown} is a table, not a name; quote patterns that contain "
            "dots or slashes, and do not use [sections]."
        )
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageError(
            f"{path}: the value of {shown} must be the quoted name of an object, not "
            f"{shortened(repr(prompt))}."
        )
    return PromptPattern(**vars(PathPattern.parse(pattern, path)), prompt=prompt.strip())


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_small_text(path, "prompts file", limit=MEGABYTE)
        if path.suffix.lower() == ".json":
            table = json.loads(text, object_pairs_hook=_unique_keys)
        else:
            table = parse_toml(text)
    except RecursionError as error:
        raise UsageError(f"The prompts file {path} is invalid: it is nested too deeply.") from error
    except ValueError as error:  # every syntax error of both formats, and text that is not UTF-8
        reason = shortened(error, 200)
        raise UsageError(f"The prompts file {path} is invalid: {reason}.") from error
    if not isinstance(table, dict):
        raise UsageError(f'{path} must map patterns to names, such as {{"bolts/": "bolt"}}.')
    return table


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a dictionary from a JSON object, rejecting repeated keys as the TOML parser does."""
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a pattern is repeated")
    return table
