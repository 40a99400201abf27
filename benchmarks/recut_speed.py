"""Images a second of `moeclip recut`, beside the start of its process.

    python benchmarks/recut_speed.py --images 1000

Scores links to the pictures of `examples/images` with `--keep-maps`, which takes most of the time,
and a run of a few. Then both runs get other thresholds in turns. The rate is that of the images
that the large run has more, at the median of the differences; the run of a few is the start.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

_EXAMPLES = Path(__file__).parents[1] / "examples" / "images"
_FEW = 10
WAYS = {"regions": (), "verdicts only": ("--verdicts-only",), "report": ("--report",)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for run, images in (("few", _FEW), ("many", options.images)):
            fill(folder / f"{run}-images", images)
            moeclip(folder, "score", f"{run}-images", "--out", run, "--keep-maps")
        print("| recut with | start (s) | images/s |\n| --- | --- | --- |")
        for way, flags in WAYS.items():
            times = [round_of(folder, number, flags) for number in range(options.rounds)]
            more = statistics.median(many - few for few, many in times)
            start = statistics.median(few for few, _ in times)
            print(f"| {way} | {start:.1f} | {(options.images - _FEW) / more:.0f} |", flush=True)


def fill(folder: Path, images: int) -> None:
    """A folder of links to the example pictures."""
    folder.mkdir()
    pictures = sorted(path for path in _EXAMPLES.rglob("*") if path.suffix in {".jpg", ".png"})
    for number, picture in enumerate(islice(cycle(pictures), images)):
        (folder / f"{number:06}{picture.suffix}").symlink_to(picture)


def round_of(folder: Path, number: int, flags: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of a recut of the small run and of the large one, at a threshold of this round."""
    threshold = ("--threshold", f"0.{55 + number}", *flags)
    return moeclip(folder, "recut", "few", *threshold), moeclip(folder, "recut", "many", *threshold)


def moeclip(folder: Path, *words: str) -> float:
    """Wall-clock seconds of a command."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "moeclip_cli", *words, "-q"], cwd=folder, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
