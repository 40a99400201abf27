"""Seconds and peak memory of `moeclip score` for ever more images: both must not grow per image.

    python benchmarks/linear_cost.py --images 10 1000
    python benchmarks/linear_cost.py --images 10 1000 100000

Scores folders of hard links to one small image with a tiny network input, each in its own process.
Printed for each folder: seconds and peak memory of the process, the milliseconds of wall and
processor time of each image beyond those of the smallest folder, and their growth.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

_LINKS = 30_000  # file systems limit the links to one file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--side", type=int, default=80, help="of the network input in pixels")
    parser.add_argument("--heatmaps", action="store_true")
    args = parser.parse_args()
    first: tuple[int, float, float] | None = None
    earlier = 0.0
    for count in args.images:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder) / "images", count)
            wall, processor, memory = measure(Path(folder), args.side, heatmaps=args.heatmaps)
        line = f"{count:>8} images: {wall:8.1f} s, {memory / 2**20:6.0f} MiB peak"
        if first is None:
            first = count, wall, processor
        else:
            more = count - first[0]
            each = 1000 * (processor - first[2]) / more
            line += f", {1000 * (wall - first[1]) / more:.2f} ms an image ({each:.2f} processor)"
            line += f", {each / earlier:.2f} of the line before" if earlier else ""
            earlier = each
        print(line, flush=True)


def fill(folder: Path, count: int) -> None:
    """A folder of links to one picture of noise."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    for number in range(count):
        target = folder / f"{number}.png"
        if number % _LINKS:
            os.link(folder / f"{number - number % _LINKS}.png", target)
        else:
            Image.fromarray(pixels).save(target)


def measure(folder: Path, side: int, *, heatmaps: bool) -> tuple[float, float, int]:
    """Wall time, processor time and peak resident memory in bytes of one run."""
    command = [sys.executable, "-m", "moeclip_cli", "score", "images", "--quiet"]
    command += ["--image-size", str(side), "--device", "cpu"]
    command += ["--heatmaps"] if heatmaps else []
    started = time.perf_counter()
    pid = subprocess.Popen(command, cwd=folder).pid
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        sys.exit("the run failed")
    used = resource.struct_rusage(usage)
    scale = 1 if sys.platform == "darwin" else 1024
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * scale


if __name__ == "__main__":
    main()
