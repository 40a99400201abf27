"""Measure the two steps of `moeclip score --mutual` and what follows for whole batches.

    OMP_NUM_THREADS=1 python benchmarks/mutual_speed.py

The times are those of the processor, on a CPU, in which other programs do not count: to read an
image and compute its tokens, and to compare two images at all levels and windows. The last columns
follow from them: hours, minutes and seconds for so many images, in subsets of at most 200.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import torch

from moeclip_cli.inspection.forecast import StepTimes
from moeclip_cli.inspection.mutual import MutualInspector
from moeclip_cli.inspection.subsets import subsets
from moeclip_cli.model.mutual import PatchTokens, comparisons, mutual_distances

BATCHES = (60, 200, 1000)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 448])
    parser.add_argument("--model", help="built-in name or checkpoint file; DINOv2 by default")
    parser.add_argument("--images", type=int, default=5, help="images to compare")
    options = parser.parse_args()
    heads = " | ".join(f"{count:,} images" for count in BATCHES)
    print(f"| size | reading (s) | comparing (s) | {heads} |\n|{'---|' * (3 + len(BATCHES))}")
    for size in options.sizes:
        times = measure(
            MutualInspector.load(options.model, image_size=size, device="cpu"), options.images
        )
        whole = [timedelta(seconds=round(times.seconds(sizes_of(count)))) for count in BATCHES]
        cells = " | ".join(map(str, whole))
        print(f"| {size} | {times.reading:.3f} | {times.comparing:.4f} | {cells} |", flush=True)


def measure(inspector: MutualInspector, images: int) -> StepTimes:
    """Processor time of reading an image and of comparing two, all levels and windows."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)
    # A single image is read and not compared.
    reading = processor_seconds(lambda: inspector.compare([image], workers=0))
    architecture = inspector.model.network.backbone.architecture
    side = inspector.image_size // architecture.patch_size
    shape = (side * side, architecture.vision_width)
    levels = len(inspector.model.network.config.layers)
    tokens = [
        PatchTokens.of([torch.randn(shape) for _ in range(levels)], (side, side))
        for _ in range(images)
    ]
    comparing = processor_seconds(lambda: mutual_distances(tokens)) / comparisons(images)
    return StepTimes(reading, comparing, maps=1)


def processor_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the processor that `work` takes: the median of some runs after a first one."""
    work()
    found = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return statistics.median(found)


def sizes_of(images: int) -> list[int]:
    """Numbers of images of the subsets."""
    return [len(part) for part in subsets(images)]


if __name__ == "__main__":
    main()
