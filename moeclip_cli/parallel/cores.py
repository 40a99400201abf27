"""Number of CPU cores and of worker threads."""

from __future__ import annotations

import os

from moeclip_cli.errors import UsageError

# More threads use more memory without decoding faster.
_MAX_THREADS = 8


def available_cores() -> int:
    """Return the number of cores available to this process, as limited by a scheduler."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


def choose_workers(requested: int | None, cores: int | None = None) -> int:
    """Return the number of workers that prepare images: `requested`, or by default one per core.

    Args:
        requested: by the user, if at all.
        cores: number of cores; None for those available to this process.

    Raises:
        UsageError: if it is negative.
    """
    if requested is not None and requested < 0:
        raise UsageError(f"`workers` must be 0 or more, not {requested}.")
    return min(_MAX_THREADS, cores or available_cores()) if requested is None else requested
