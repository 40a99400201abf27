"""Time per image of the built-in model for several batch sizes, measured in turn in one process.

    python benchmarks/batch_size.py --sizes 1 4 16

Prints the median time per image for each size, and its ratio to that of the first size.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from moeclip_cli import Inspector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16], help="batch sizes")
    parser.add_argument("--images", type=int, default=16, help="images per round")
    parser.add_argument("--rounds", type=int, default=5, help="measurements per size")
    parser.add_argument("--model", default="moeclip-mini")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()

    inspector = Inspector.load(args.model, device=args.device)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (300, 400, 3), dtype=np.uint8) for _ in range(args.images)]
    rounds = [
        [seconds(inspector, pictures, size) for size in args.sizes] for _ in range(args.rounds + 1)
    ][1:]  # the first round is a warm-up
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    sizes = " and ".join(map(str, inspector.sizes))
    print(f"{args.model} at {sizes} px on {inspector.device}")
    for size, median in zip(args.sizes, medians, strict=True):
        per_image = median / args.images
        print(f"batch {size:>3}: {1000 * per_image:7.1f} ms per image, {median / medians[0]:.2f}")


def seconds(inspector: Inspector, pictures: list[np.ndarray], batch_size: int) -> float:
    start = time.perf_counter()
    for _ in inspector.score(pictures, batch_size=batch_size):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
