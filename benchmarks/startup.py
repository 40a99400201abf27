"""Start-up of `moeclip score` with the built-in model, part by part.

    python benchmarks/startup.py --runs 3

Each part is a process of its own that does what a run does up to there: the bare interpreter, the
command line, torch alone, open_clip on top, all modules of a run, the weights, the first image, and
the whole command. Printed for each: the median of the wall time and of the processor time, and what
the part adds. `import torch` is the floor.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_INSPECTOR = "from moeclip_cli.inspection.inspector import Inspector"
_LOAD = f"{_INSPECTOR}; inspector = Inspector.load(device='cpu')"
_IMAGE = "import numpy; list(inspector.score(numpy.zeros((320, 320, 3), numpy.uint8)))"
PARTS = {
    "interpreter": ["-c", "pass"],
    "command line (--help)": ["-m", "moeclip_cli", "--help"],
    "torch": ["-c", "import torch"],
    "torch and open_clip": ["-c", "import torch, open_clip"],
    "all modules": ["-c", f"{_INSPECTOR}; import moeclip_cli.runs.score_run"],
    "and the weights": ["-c", _LOAD],
    "and one image": ["-c", f"{_LOAD}; {_IMAGE}"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--images", type=Path, default=Path("examples/images"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out")
        score = ["score", str(args.images), "--out", out, "--overwrite", "--quiet"]
        parts = PARTS | {f"score {args.images}": ["-m", "moeclip_cli", *score]}
        seconds(list(parts.values())[-1])  # files are in the cache of the system from now on
        rounds = [[seconds(part) for part in parts.values()] for _ in range(args.runs)]
    before = 0.0
    print(f"{'part':<28}{'wall':>8}{'processor':>11}{'more':>8}")
    for name, times in zip(parts, zip(*rounds, strict=True), strict=True):
        wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<28}{wall:7.2f}s{processor:10.2f}s{wall - before:+7.2f}s")
        before = wall


def seconds(arguments: list[str]) -> tuple[float, float]:
    """Wall and processor time of a Python process."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"failed: {' '.join(arguments)}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
