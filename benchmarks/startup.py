"""Start-up of `moeclip score` with the built-in model, part by part.

    python benchmarks/startup.py --runs 3
    python benchmarks/startup.py --runs 3 --beside ../earlier

Each part is a process of its own that does what a run does up to there: the bare interpreter, the
command line, torch alone, open_clip on top, all modules of a run, the weights, the first image, and
the whole command. Printed for each: the median of the wall time and of the processor time, and what
the part adds. `import torch` is the floor, open_clip what CLIP backbones need.

With `--beside`, the whole command of another checkout and that of this one take turns, and the
ratio of their processor times is printed, which a busy machine changes less than times.
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
    parser.add_argument("--beside", type=Path, help="checkout of another version")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out")
        score = ["score", str(args.images.resolve()), "--out", out, "--overwrite", "--quiet"]
        if args.beside is not None:
            compare(["-m", "moeclip_cli", *score], args.beside, args.runs)
            return
        parts = PARTS | {f"score {args.images}": ["-m", "moeclip_cli", *score]}
        seconds(list(parts.values())[-1])  # files are in the cache of the system from now on
        rounds = [[seconds(part) for part in parts.values()] for _ in range(args.runs)]
    before = 0.0
    print(f"{'part':<28}{'wall':>8}{'processor':>11}{'more':>8}")
    for name, times in zip(parts, zip(*rounds, strict=True), strict=True):
        wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<28}{wall:7.2f}s{processor:10.2f}s{wall - before:+7.2f}s")
        before = wall


def compare(command: list[str], beside: Path, runs: int) -> None:
    """Print the processor time of a command in two checkouts, which take turns."""
    here = Path(__file__).parents[1]
    ratios = []
    for _ in range(runs):
        other, this = (seconds(command, folder)[1] for folder in (beside, here))
        print(f"{beside}: {other:.2f}s  {here}: {this:.2f}s  ratio {this / other:.2f}", flush=True)
        ratios.append(this / other)
    print(f"median ratio {statistics.median(ratios):.2f}")


def seconds(arguments: list[str], checkout: Path | None = None) -> tuple[float, float]:
    """Wall and processor time of a Python process, in the folder of a checkout if given."""
    environment = dict(os.environ)
    if checkout is not None:  # before what is installed
        environment["PYTHONPATH"] = str(checkout.resolve())
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment, cwd=checkout
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"failed: {' '.join(arguments)}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
