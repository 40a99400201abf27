"""Memory budget of decoding, shared by all threads of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

DECODE_BYTES = 1_500_000_000
"""Memory that images being decoded at the same time may take together, in bytes."""

_RESERVE = 250_000_000


class DecodeBudget:
    """A semaphore weighted in bytes, with a reserve for small weights.

    A weight is small up to half of the reserve, which large ones never take. So images of up to 15
    megapixels go on while a large one, or a damaged one that decodes for long, holds all the rest.
    Each kind is served in the order in which it asks, and small ones do with the reserve while a
    large one waits, so that neither waits forever. A weight above what large ones may take waits
    until no other large one is held.

    Args:
        limit: number of bytes that may be held at the same time.
        reserve: number of them that only small weights take.

    """

    def __init__(self, limit: int, reserve: int) -> None:
        self._limit, self._reserve = limit, reserve
        self._small = self._large = 0  # bytes that are held
        self._large_waits = False
        self._small_turn, self._large_turn = threading.Lock(), threading.Lock()
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Number of bytes held now; each weight counts at most as `limit - reserve`."""
        return self._small + self._large

    @contextmanager
    def hold(self, weight: int) -> Iterator[None]:
        """Wait until `weight` bytes are free and hold them for the block.

        The block must not hold a second weight, as it would wait for itself.
        """
        small = weight <= self._reserve // 2
        held = self._hold_small(weight) if small else self._hold_large(weight)
        with held:
            yield

    @contextmanager
    def _hold_small(self, share: int) -> Iterator[None]:
        def fits() -> bool:
            free = self._limit - self.used
            return share <= free and (not self._large_waits or self._small + share <= self._reserve)

        with self._small_turn, self._changed:
            self._changed.wait_for(fits)
            self._small += share
        try:
            yield
        finally:
            with self._changed:
                self._small -= share
                self._changed.notify_all()

    @contextmanager
    def _hold_large(self, weight: int) -> Iterator[None]:
        most = self._limit - self._reserve
        share = min(weight, most)

        def fits() -> bool:
            return self._large + share <= most and self.used + share <= self._limit

        with self._large_turn, self._changed:
            self._large_waits = True
            try:
                self._changed.wait_for(fits)
            finally:
                self._large_waits = False
            self._large += share
            self._changed.notify_all()  # small ones may go beyond the reserve again
        try:
            yield
        finally:
            with self._changed:
                self._large -= share
                self._changed.notify_all()


BUDGET = DecodeBudget(DECODE_BYTES, _RESERVE)
"""The budget of this process."""
