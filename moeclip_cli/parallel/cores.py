"""How many processor cores there are to work with."""

from __future__ import annotations

import os

# Decoding more images at once than this only takes memory.
_MOST_THREADS = 8


def available_cores() -> int:
    """Cores that this process may use: those that a cluster's scheduler or a container left it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


def choose_workers(asked: int | None) -> int:
    """Threads or processes that prepare images: what the user asked for, else what suits."""
    return min(_MOST_THREADS, available_cores()) if asked is None else asked
