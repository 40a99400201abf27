"""Peak memory of `moeclip score`, which must not grow with the number of images.

    python benchmarks/memory.py --images 200 4000

Scores folders of hard links to one small image, with overlays, each in its own process, and prints
the peak resident memory of each.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--images", type=int, nargs="+", default=[200, 4000], help="number of images per run"
    )
    parser.add_argument("--image-size", type=int, default=80, help="network input size in pixels")
    args = parser.parse_args()
    for count in args.images:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder) / "images", count)
            peak = measure(Path(folder), args.image_size)
        print(f"{count:>8} images: {peak / 2**20:.0f} MiB peak")


def fill(folder: Path, count: int) -> None:
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "0.png")
    for number in range(1, count):
        os.link(folder / "0.png", folder / f"{number}.png")


def measure(folder: Path, image_size: int) -> int:
    """Return the peak resident memory of one run of the command line in bytes."""
    command = [
        sys.executable, "-m", "moeclip_cli", "score", "images", "--heatmaps", "--quiet",
        "--image-size", str(image_size),
    ]  # fmt: skip
    pid = subprocess.Popen(command, cwd=folder).pid
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit("the run failed")
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.struct_rusage(usage).ru_maxrss * scale


if __name__ == "__main__":
    main()
