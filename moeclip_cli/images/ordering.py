"""The order of file names: as people count, and for any number of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice

from moeclip_cli.images.disk_list import DiskList

_RUN = 1 << 15  # names that are sorted in memory

_DIGITS = re.compile(r"[0-9]+")


def sort_names(names: Iterable[str]) -> Iterator[str]:
    """Sorts file names in natural order, on disk if there are many; reads all of them at once."""
    iterator = iter(names)
    runs: list[Iterable[str]] = []
    while run := sorted(islice(iterator, _RUN), key=natural_key):
        runs.append(run if len(run) < _RUN and not runs else DiskList(run))
    return merge(*runs, key=natural_key)


def natural_key(name: str) -> tuple[str, str]:
    """Sorts as people count, img2 before img10, and capitals beside small letters."""
    return _DIGITS.sub(lambda digits: digits[0].zfill(20), name.casefold()), name
