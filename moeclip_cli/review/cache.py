"""Pictures in memory, the least recently used of which make room for others."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable


class BoundedCache:
    """Bytes by key, in bounded memory. Thread-safe.

    Args:
        most_bytes: what all values may take together; a larger one is not kept.

    Attributes:
        held_bytes: what they take now.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, bytes] = OrderedDict()
        self.held_bytes = 0

    def get(self, key: Hashable) -> bytes | None:
        """The value of a key, if it is still held."""
        with self._lock:
            value = self._held.get(key)
            if value is not None:
                self._held.move_to_end(key)
            return value

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep a value."""
        if len(value) > self._most:
            return
        with self._lock:
            self.held_bytes += len(value) - len(self._held.pop(key, b""))
            self._held[key] = value
            while self.held_bytes > self._most:
                _, oldest = self._held.popitem(last=False)
                self.held_bytes -= len(oldest)
