"""Number of CPU cores and of worker threads."""

from __future__ import annotations

import math
import os

from moeclip_cli.errors import UsageError
from moeclip_cli.parallel.cpu_quota import cpu_quota

# As many as feed a GPU with some 1,000 images/s; more would use more memory.
_MAX_THREADS = 16


def available_cores() -> int:
    """Number of cores that this process may use, as limited by a scheduler or a container.

    A fraction of a core is left out: with a thread more, all of them would be stopped in turns.
    """
    quota = cpu_quota()
    return _visible_cores() if quota is None else max(1, min(_visible_cores(), math.floor(quota)))


def _visible_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows


def choose_workers(requested: int | None, cores: int | None = None) -> int:
    """Return the number of workers that prepare images.

    By default one per core, up to 16.

    Args:
        requested: by the user, if at all.
        cores: number of cores; None for those available to this process.

    Raises:
        UsageError: if it is negative.
    """
    if requested is not None and requested < 0:
        raise UsageError(f"`workers` must be 0 or more, not {requested}.")
    return min(_MAX_THREADS, cores or available_cores()) if requested is None else requested
