"""What `--ray local` costs on one machine, beside the same command in one process.

    python benchmarks/ray_overhead.py --images 20 60

Runs both with each number of images, in turn. The difference of two numbers gives the time per
image; the rest is the start. Other programs on the machine disturb the result.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples" / "images"


def seconds(images: int, folder: str, *options: str) -> float:
    """Wall-clock time of a command that scores this many images."""
    found = sorted(EXAMPLES.rglob("*_01.*"))
    paths = "\n".join(str(found[number % len(found)]) for number in range(images))
    command = [sys.executable, "-m", "moeclip_cli", "score", "-", "-q", "--overwrite"]
    start = time.perf_counter()
    subprocess.run([*command, "--out", folder, *options], input=paths, text=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, nargs=2, default=[20, 60])
    few, many = parser.parse_args().images
    print("| | start (s) | per image (s) |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in {"one process": (), "--ray local": ("--ray", "local")}.items():
            first, second = (seconds(images, folder, *options) for images in (few, many))
            each = (second - first) / (many - few)
            print(f"| {name} | {first - few * each:.1f} | {each:.3f} |", flush=True)


if __name__ == "__main__":
    main()
