"""Which images a table already holds, in 8 bytes an image."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


class DonePaths:
    r"""A set of paths kept as sorted 64-bit digests.

    A million paths take 8 MB; a path outside the set is taken for a member with a probability of
    5e-14. A byte that is not UTF-8 and its `\udcff` spelling in a table are the same path.

    Args:
        paths: the members; read once, not kept.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._digests = np.fromiter(map(_digest, paths), dtype=np.uint64)
        self._digests.sort()

    def __contains__(self, path: str) -> bool:
        digest = np.uint64(_digest(path))
        place = np.searchsorted(self._digests, digest)
        return bool(place < len(self._digests) and self._digests[place] == digest)

    def __len__(self) -> int:
        """The number of paths given, repeated ones counted again."""
        return len(self._digests)


def _digest(path: str) -> int:
    data = path.encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
