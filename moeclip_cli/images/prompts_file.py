"""The file of `--prompts`: which object the images of a folder show, where a run mixes products."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.images import globs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_PROMPT = "object"
"""What is on an image of which nobody says more."""


@dataclass(frozen=True)
class PromptRule:
    """One line of the file.

    Attributes:
        pattern: the parts of the pattern.
        absolute: whether the pattern starts at the root of the file system.
        folder: whether only folders match it.
        prompt: name of the object.
    """

    pattern: tuple[str, ...]
    absolute: bool
    folder: bool
    prompt: str

    def applies_to(self, path: Path) -> bool:
        """Whether the image at a path is meant."""
        parts = (path.absolute() if self.absolute else path).parts
        if self.folder:
            parts = parts[:-1]
        starts = range(1) if self.absolute else range(len(parts))
        return any(globs.covers(parts[start:], self.pattern) for start in starts)


@dataclass(frozen=True)
class PromptRules:
    """Names of objects by pattern of path; the first pattern that matches counts.

    A TOML or JSON file maps patterns to names:

        "bolts/" = "steel bolt"
        "left/*.png" = "left bracket"
        "*" = "metal part"

    A pattern matches any run of whole parts of an image's path: `bolts` is a file or folder called
    bolts, wherever it lies, `bolts/` only a folder, `left/*.png` a PNG file directly in a folder
    called left. Where a folder matches, everything below it does. `*`, `?` and `[ab]` stay within
    a part; `**` is any number of folders. A pattern that starts with `/` (or a drive) has to match
    from the root of the file system.

    Attributes:
        rules: the lines of the file, in its order.
    """

    rules: tuple[PromptRule, ...]

    @classmethod
    def load(cls, path: Path) -> PromptRules:
        """Reads a file.

        Raises:
            UsageError: if it cannot be read or does not map patterns to names.
        """
        table = _read(path)
        if not table:
            raise UsageError(f'{path} has no rules; write lines such as "bolts/" = "steel bolt".')
        return cls(tuple(_rule(path, pattern, prompt) for pattern, prompt in table.items()))

    def prompt_for(self, ref_path: Path) -> str | None:
        """Name of the object at a path, as the user wrote it; None if no pattern matches."""
        for rule in self.rules:
            if rule.applies_to(ref_path):
                return rule.prompt
        return None


def _rule(path: Path, pattern: str, prompt: Any) -> PromptRule:
    if isinstance(prompt, dict):
        raise UsageError(
            f"{path}: what belongs to {pattern} is a table, not a name; put patterns with dots or "
            "slashes into quotes, and use no [sections]."
        )
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageError(
            f"{path}: {pattern} needs the name of an object in quotes, not {prompt!r}."
        )
    parts = PurePath(pattern).parts
    if not parts:
        raise UsageError(f'{path}: {pattern!r} is no pattern; use "*" for all images.')
    is_folder = pattern.endswith(("/", os.sep))
    return PromptRule(parts, PurePath(pattern).is_absolute(), is_folder, prompt.strip())


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            table = json.loads(text, object_pairs_hook=_without_repeats)
        else:
            table = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"The prompts file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # every syntax error of both formats, and text that is not UTF-8
        raise UsageError(f"The prompts file {path} is not valid: {error}.") from error
    if not isinstance(table, dict):
        raise UsageError(f'{path} must map patterns to names, such as {{"bolts/": "bolt"}}.')
    return table


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dictionary, refusing what JSON leaves open; TOML refuses it itself."""
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a pattern occurs twice")
    return table
