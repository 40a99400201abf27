"""Time that the comparison with references adds to an image.

    OMP_NUM_THREADS=2 python benchmarks/reference_speed.py

Measures the built-in DINOv2 alone, and with the comparison of its tokens with 1 to 8 references, in
turn in one process. Prints the median time per image and its ratio to that of the tower alone, in
float32 and in bfloat16.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import torch

from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.model.bank import COMPARED_PATCHES, PatchBank, thinned
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.scoring import score_distances


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=448, help="network input size in pixels")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--references", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--runs", type=int, default=7, help="number of measurements")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads")
    for precision in options.precisions:
        network = load_tower(image_size=options.size).network
        network.set_precision(getattr(torch, precision))
        measure(network, options, precision)


@torch.inference_mode()
def measure(network: FrozenTower, options: argparse.Namespace, precision: str) -> None:
    torch.manual_seed(0)
    images = torch.randn(options.batch_size, 3, options.size, options.size)
    grid = network.levels(images).grid
    references = []
    for _ in range(max(options.references)):
        seen = network.levels(torch.randn(1, 3, options.size, options.size)).tokens
        references.append([thinned(level[0], COMPARED_PATCHES) for level in seen])
    banks = {count: PatchBank.of(references[:count]) for count in options.references}
    strangers = torch.full((options.batch_size,), -1)
    alone: list[float] = []
    added: dict[int, list[float]] = {count: [] for count in banks}
    for run in range(options.runs + 1):
        start = time.perf_counter()
        levels = network.levels(images)
        tower = time.perf_counter() - start
        for count, bank in banks.items():
            start = time.perf_counter()
            distances = bank.distances(levels.tokens, strangers)
            score_distances(distances, grid, (options.size, options.size), "industrial")
            if run > 0:  # the first run is a warm-up
                added[count].append((time.perf_counter() - start) / tower)
        if run > 0:
            alone.append(tower / options.batch_size)
    print(f"{precision}: {1000 * statistics.median(alone):.0f} ms per image")
    for count, ratios in added.items():
        print(f"{count:>4} references: {1 + statistics.median(ratios):.2f} of that")


if __name__ == "__main__":
    main()
