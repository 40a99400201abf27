"""Matching of path components against glob patterns, including `**`.

Each component of a pattern matches one component of a path as in a shell: `*` matches any
characters, `?` one character, `[ab]` one of the characters listed. `**` matches any number of
components, including none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch

ANY_DEPTH = "**"
_MAGIC = re.compile(r"[*?[]")


def has_magic(text: str) -> bool:
    """Return True if a text contains glob wildcards."""
    return _MAGIC.search(text) is not None


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return True if a pattern matches a whole path."""
    reached = _skip_any_depth({0}, pattern)
    for part in parts:
        reached = _advance(reached, part, pattern)
    return len(pattern) in reached


def covers(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return True if a pattern matches a path or one of its parent folders."""
    reached = _skip_any_depth({0}, pattern)
    for part in parts:
        reached = _advance(reached, part, pattern)
        if len(pattern) in reached:
            return True
    return False


def _advance(reached: set[int], part: str, pattern: Sequence[str]) -> set[int]:
    """Return the numbers of pattern components that can be matched after one more path component.

    Following all ways through the pattern at the same time, unlike trying them one after the other,
    takes no longer with several `**`.
    """
    following = set()
    for number in reached:
        if number < len(pattern):
            if pattern[number] == ANY_DEPTH:
                following.add(number)
            elif fnmatch(part, pattern[number]):
                following.add(number + 1)
    return _skip_any_depth(following, pattern)


def _skip_any_depth(reached: set[int], pattern: Sequence[str]) -> set[int]:
    """Add the components behind each `**`, which also matches nothing."""
    skipped = set(reached)
    for number in reached:
        while number < len(pattern) and pattern[number] == ANY_DEPTH:
            number += 1
            skipped.add(number)
    return skipped


def may_contain_matches(folder: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return True if a path inside a folder could match a pattern."""
    for part, expected in zip(folder, pattern, strict=False):
        if expected == ANY_DEPTH:
            return True
        if not fnmatch(part, expected):
            return False
    return len(folder) < len(pattern)
