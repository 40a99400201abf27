"""Time of `moeclip score` under a limit of processor time, with and without regard to it.

    sudo python benchmarks/cpu_quota.py --quota 1.5

Scores 40 pictures of `examples/images` in a control group that may use so many processors on
average, as a container with `--cpus 1.5` does, once with a thread for each core that the process
sees, as PyTorch would choose, and once as moeclip chooses. Prints seconds of each, in turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

_EXAMPLES = Path(__file__).parents[1] / "examples" / "images"
_MOUNT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quota", type=float, default=1.0)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    ways = {f"{cores} threads": {"OMP_NUM_THREADS": str(cores)}, "as chosen": {}}
    times: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as images, limited_group(options.quota) as processes:
        fill(Path(images), options.images)
        for _ in range(options.rounds):
            for way, env in ways.items():
                times[way].append(seconds(processes, env, images))
    print(f"{cores} cores, {options.quota:g} of them may be used on average")
    for way, measured in times.items():
        low, middle, high = min(measured), statistics.median(measured), max(measured)
        print(f"{way}: {middle:.1f} s ({low:.1f} to {high:.1f})")


def fill(folder: Path, images: int) -> None:
    """Copies of the example pictures."""
    pictures = sorted(path for path in _EXAMPLES.rglob("*") if path.suffix in {".jpg", ".png"})
    for number, picture in enumerate(islice(cycle(pictures), images)):
        shutil.copy(picture, folder / f"{number:04}{picture.suffix}")


@contextmanager
def limited_group(quota: float) -> Iterator[Path]:
    """The file that takes processes into a control group of version 1 or 2 with this limit."""
    second = (_MOUNT / "cgroup.controllers").exists()
    group = (_MOUNT if second else _MOUNT / "cpu") / f"moeclip-{os.getpid()}"
    group.mkdir()
    try:
        allowed = int(quota * _PERIOD)
        if second:
            (group / "cpu.max").write_text(f"{allowed} {_PERIOD}")
        else:
            (group / "cpu.cfs_quota_us").write_text(str(allowed))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def seconds(processes: Path, env: dict[str, str], images: str) -> float:
    """Wall-clock seconds of a run in the group."""
    kept = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "moeclip_cli", "score", images, "-o", out, "-q"]
        started = time.perf_counter()
        subprocess.run(
            ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(processes), *command],
            env=kept | env, check=True,
        )  # fmt: skip
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
