"""Natural order of file names, for any number of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice

from moeclip_cli.discovery.disk_list import DiskList

_RUN_LENGTH = 1 << 15
"""Number of names sorted in memory at a time."""

_DIGITS = re.compile(r"[0-9]+")


def sort_names(names: Iterable[str]) -> Iterator[str]:
    """Sort file names in natural order, using the disk if there are many.

    All names are read before the first one is returned.
    """
    iterator = iter(names)
    runs: list[Iterable[str]] = []
    while run := sorted(islice(iterator, _RUN_LENGTH), key=natural_key):
        runs.append(run if len(run) < _RUN_LENGTH and not runs else DiskList(run))
    return merge(*runs, key=natural_key)


def natural_key(name: str) -> tuple[str, str]:
    """Return a sort key that orders img2 before img10 and ignores case."""
    return _DIGITS.sub(lambda digits: digits[0].zfill(20), name.casefold()), name
