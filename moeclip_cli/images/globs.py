"""Matching a path's parts against a glob pattern's parts, `**` included.

Each part of a pattern matches one part of a path as in a shell: `*` any characters, `?` one,
`[ab]` one of these. `**` stands for any number of parts, none included.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch

ANY_DEPTH = "**"
_MAGIC = re.compile(r"[*?[]")


def has_magic(text: str) -> bool:
    """Whether a text is a pattern rather than a name."""
    return _MAGIC.search(text) is not None


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a pattern matches a whole path."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        return any(matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])


def covers(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a pattern matches a path or a folder above it."""
    return any(matches(parts[:end], pattern) for end in range(1, len(parts) + 1))


def may_contain_matches(folder: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether something in a folder could match a pattern."""
    for part, expected in zip(folder, pattern, strict=False):
        if expected == ANY_DEPTH:
            return True
        if not fnmatch(part, expected):
            return False
    return len(folder) < len(pattern)
