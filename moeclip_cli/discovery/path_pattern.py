"""Patterns that stand for images in a file of rules."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from moeclip_cli.bounded_text import shortened
from moeclip_cli.discovery import globs
from moeclip_cli.errors import UsageError

# No path is longer on Linux.
_LONGEST_PATTERN = 4096


@dataclass(frozen=True)
class PathPattern:
    """A pattern that matches any sequence of whole components of an image's path.

    `bolts` matches a file or folder named bolts at any depth, `bolts/` a folder only, and
    `left/*.png` a PNG file directly in a folder named left. A pattern that matches a folder matches
    everything below it. `*`, `?` and `[ab]` match within a component; `**` matches any number of
    folders. A pattern that starts with `/` (or a drive) is matched from the root of the file
    system.

    Attributes:
        pattern: components of the pattern.
        absolute: True if the pattern starts at the root of the file system.
        folder: True if the pattern matches folders only.
    """

    pattern: tuple[str, ...]
    absolute: bool
    folder: bool

    @classmethod
    def parse(cls, text: str, file: Path) -> PathPattern:
        """The pattern that a text stands for.

        Raises:
            UsageError: if it is too long or not a pattern; the sentence names `file`.
        """
        if len(text) > _LONGEST_PATTERN:
            raise UsageError(
                f"{file}: the pattern {shortened(text)} is longer than {_LONGEST_PATTERN:,} "
                "characters."
            )
        parts = PurePath(text).parts
        if not parts:
            raise UsageError(f'{file}: {text!r} is not a valid pattern; use "*" for all images.')
        return PathPattern(parts, PurePath(text).is_absolute(), text.endswith(("/", os.sep)))

    def matches(self, path: Path) -> bool:
        """Return True if the pattern matches the image at a path."""
        parts = (path.absolute() if self.absolute else path).parts
        if self.folder:
            parts = parts[:-1]
        starts = range(1) if self.absolute else range(len(parts))
        return any(globs.covers(parts[start:], self.pattern) for start in starts)
