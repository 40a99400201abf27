"""Memory budget of decoding, shared by all threads of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

DECODE_BYTES = 1_500_000_000
"""Memory that images being decoded at the same time may take together, in bytes."""


class DecodeBudget:
    """A semaphore weighted in bytes.

    Threads are served in the order in which they ask, so that small images cannot keep a large one
    waiting forever. A weight above the limit waits until nothing else is held, and then runs alone.

    Args:
        limit: number of bytes that may be held at the same time.

    Attributes:
        used: number of bytes held now; each weight counts at most as `limit`.
    """

    def __init__(self, limit: int) -> None:
        self.used = 0
        self._limit = limit
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, weight: int) -> Iterator[None]:
        """Wait until `weight` bytes are free and hold them for the block.

        The block must not hold a second weight, as it would wait for itself.
        """
        share = min(weight, self._limit)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self.used + share <= self._limit)
            self.used += share
        try:
            yield
        finally:
            with self._changed:
                self.used -= share
                self._changed.notify_all()


BUDGET = DecodeBudget(DECODE_BYTES)
"""The budget of this process."""
