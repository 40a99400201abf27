"""Kill a watch at random moments while another process copies pictures into its folder.

    nice python benchmarks/watch_kills.py --pictures 1000 --kills 30

Afterwards every picture must have exactly one row without an error, and be moved as it was.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import torch
from support.arrivals import kill_while_pictures_arrive
from support.standins import authors_checkpoint, backbone_state


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0.03, help="mean seconds between pictures")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        torch.save(authors_checkpoint("small"), "model.pth")
        torch.save(backbone_state("small"), "backbone.pt")
        model = ["--model", "model.pth", "--backbone-weights", "backbone.pt"]
        size = ["--image-size", "70", "--device", "cpu"]
        chance, started = random.Random(options.seed), time.perf_counter()
        killed = kill_while_pictures_arrive(
            [*model, *size], options.pictures, options.kills, options.pause, chance
        )
        os.chdir("/")
    print(
        f"{options.pictures} pictures, {killed} kills: one row each; "
        f"{time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
