"""The limit of processor time that a container or a service has: Linux control groups.

`docker run --cpus 2`, a CPU limit of Kubernetes and `CPUQuota=` of systemd set it. It changes
nothing about the number of cores that a process sees. A network that computes with a thread for
each of them is stopped whenever their times together reach the limit, with most threads waiting for
one that is stopped: several times slower than with as many threads as the limit allows
(benchmarks/cpu_quota.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Processors that this process may use on average, such as 1.5; None for no limit.

    The smallest limit of its control group and of those above it, of version 1 or 2.

    Args:
        root: the root of the file system.
    """
    found = [
        quota
        for folder in _folders(root)
        for quota in (_quota_v2(folder), _quota_v1(folder))
        if quota is not None
    ]
    return min(found, default=None)


def _folders(root: Path) -> Iterator[Path]:
    """Where the limits of this process may be; inside a container, its own group is at the top."""
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys" / "fs" / "cgroup" / controllers
        folder = mount / group.lstrip("/")
        yield from (folder, *folder.parents)


def _quota_v2(folder: Path) -> float | None:
    """From a line such as "150000 100000": microseconds of each period, which may be "max"."""
    return _ratio(_text(folder / "cpu.max").split())


def _quota_v1(folder: Path) -> float | None:
    """From two files; without a limit the first one has -1."""
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    return _ratio([_text(folder / name).strip() for name in names])


def _ratio(numbers: list[str]) -> float | None:
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return None
    quota, period = map(int, numbers)
    return quota / period if quota and period else None


def _text(path: Path) -> str:
    """Content of a small file, empty if there is none."""
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
