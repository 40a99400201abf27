"""A growing set of texts, such as the names of inspected pictures, in 8 bytes a text."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

# Digests in a Python set take ten times the memory of an array.
_MOST_RECENT = 1 << 14


class Seen:
    """A set of texts of which 64-bit digests are stored.

    With a million texts, the probability that another text is found in the set is 5e-14.

    Args:
        texts: the first members.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._sorted = np.unique(np.fromiter(map(_digest, texts), dtype=np.uint64))
        self._recent: set[int] = set()

    def __contains__(self, text: str) -> bool:
        digest = _digest(text)
        if digest in self._recent:
            return True
        place = int(np.searchsorted(self._sorted, np.uint64(digest)))
        return place < len(self._sorted) and int(self._sorted[place]) == digest

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def add(self, text: str) -> None:
        """Add a text that is not in the set."""
        self._recent.add(_digest(text))
        if len(self._recent) >= _MOST_RECENT:
            recent = np.fromiter(self._recent, dtype=np.uint64)
            self._sorted = np.unique(np.concatenate([self._sorted, recent]))
            self._recent.clear()


def _digest(text: str) -> int:
    data = text.encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
