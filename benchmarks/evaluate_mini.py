"""Judge the built-in model on what it never saw, beside two baselines without any training.

    pip install conformal-clip-data elpv-dataset
    python benchmarks/evaluate_mini.py

prints a table in Markdown. Data:

- generated images of families, and with kinds of defect, that training never drew;
- conformal-clip-data (MIT): textile, nominal against local defects;
- elpv-dataset (CC BY-NC-SA 4.0): solar cells, defect probability 1 against 0.

The two real sets are used here and nowhere else: not to train, not to choose a checkpoint, not to
set a threshold. Without their packages they are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli import Inspector
from moeclip_cli.datasets.synthetic import (
    HELD_OUT_DEFECTS,
    HELD_OUT_FAMILIES,
    TRAINING_DEFECTS,
    TRAINING_FAMILIES,
    generate,
)
from moeclip_cli.training.mini.validation import auroc

SEED = 20_260_002
SIDE = 256
STRIDE = 4  # pixel AUROC over every fourth pixel of each side
BASELINE_SIDE = 224

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """An image, whether it has a defect, and where, if that is known."""

    pixels: Pixels
    anomalous: bool
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class TestSet:
    name: str
    samples: Callable[[], Iterator[Sample]]


def synthetic(families: tuple[str, ...], defects: tuple[str, ...], pairs: int) -> Iterator[Sample]:
    for index in range(pairs):
        pair = generate(SEED, index, SIDE, families, defects)
        yield Sample(pair.clean, False)
        yield Sample(pair.defective, True, pair.mask)


def textile(limit: int | None) -> Iterator[Sample]:
    import conformal_clip_data

    for folder, anomalous in (
        (conformal_clip_data.nominal_dir(), False),
        (conformal_clip_data.local_dir(), True),
    ):
        for path in sorted(p for p in folder.iterdir() if p.suffix == ".jpg")[:limit]:
            yield Sample(read(path), anomalous)


def solar(kinds: tuple[str, ...], limit: int | None) -> Iterator[Sample]:
    spec = find_spec("elpv_dataset")
    folder = Path(spec.origin).parent / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text().splitlines()]
    for probability in (0.0, 1.0):
        chosen = [r for r in rows if float(r[1]) == probability and r[2] in kinds]
        # Spread over the list, whose neighbours come from the same module.
        step = 1 if limit is None else max(1, len(chosen) // limit)
        for path, _, _ in chosen[::step][:limit]:
            yield Sample(read(folder / path), probability == 1.0)


def read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def model_scorer(inspector: Inspector) -> Callable[[Pixels], tuple[float, Map]]:
    def score(pixels: Pixels) -> tuple[float, Map]:
        result = next(inspector.score([pixels]))
        return result.score, result.anomaly_map

    return score


def high_pass(pixels: Pixels) -> tuple[float, Map]:
    """Energy of what a blur removes, smoothed; its maximum."""
    grey = baseline_input(pixels)
    energy = (grey - cv2.GaussianBlur(grey, (0, 0), 2)) ** 2
    found = cv2.GaussianBlur(energy, (0, 0), 4)
    return float(found.max()), to_size(found, pixels)


def patch_neighbours(pixels: Pixels) -> tuple[float, Map]:
    """Distance of each patch to its third nearest other patch in the same image; the maximum."""
    side, stride = 16, 8
    grey = baseline_input(pixels)
    windows = np.lib.stride_tricks.sliding_window_view(grey, (side, side))[::stride, ::stride]
    grid = windows.shape[0]
    patches = windows.reshape(grid * grid, -1)
    squared = (patches**2).sum(1)
    distance = squared[:, None] + squared[None] - 2 * patches @ patches.T
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    overlapping = (np.abs(rows[:, None] - rows) < 2) & (np.abs(columns[:, None] - columns) < 2)
    distance[overlapping] = np.inf
    third = np.sqrt(np.maximum(np.partition(distance, 2, axis=1)[:, 2], 0))
    found = third.reshape(grid, grid).astype(np.float32)
    return float(found.max()), to_size(found, pixels)


def baseline_input(pixels: Pixels) -> Map:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    side = (BASELINE_SIDE, BASELINE_SIDE)
    small = cv2.resize(grey, side, interpolation=cv2.INTER_AREA).astype(np.float32)
    return (small - small.mean()) / (small.std() + 1e-3)


def to_size(found: Map, pixels: Pixels) -> Map:
    return cv2.resize(found, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def judge(
    samples: Iterator[Sample], scorers: list[Callable[[Pixels], tuple[float, Map]]]
) -> list[tuple[NDArray, NDArray, float]]:
    """For each scorer the scores of normal and of anomalous images, and the pixel AUROC."""
    scores = [([], []) for _ in scorers]
    pixels = [([], []) for _ in scorers]
    for sample in samples:
        for scorer, by_label, by_pixel in zip(scorers, scores, pixels, strict=True):
            value, found = scorer(sample.pixels)
            by_label[sample.anomalous].append(value)
            if sample.mask is not None:
                mask = sample.mask[::STRIDE, ::STRIDE]
                for label in (False, True):
                    by_pixel[label].append(found[::STRIDE, ::STRIDE][mask == label])
    results = []
    for by_label, by_pixel in zip(scores, pixels, strict=True):
        pixel = float("nan")
        if by_pixel[True]:
            pixel = auroc(np.concatenate(by_pixel[True]), np.concatenate(by_pixel[False]))
        results.append((np.array(by_label[False]), np.array(by_label[True]), pixel))
    return results


def test_sets(pairs: int, limit: int | None) -> Iterator[TestSet]:
    yield TestSet(
        "generated, held-out families",
        lambda: synthetic(HELD_OUT_FAMILIES, TRAINING_DEFECTS, pairs),
    )
    yield TestSet(
        "generated, held-out defects",
        lambda: synthetic(TRAINING_FAMILIES, HELD_OUT_DEFECTS, pairs),
    )
    yield TestSet(
        "generated, both held out",
        lambda: synthetic(HELD_OUT_FAMILIES, HELD_OUT_DEFECTS, pairs),
    )
    if find_spec("conformal_clip_data"):
        yield TestSet("textile, local defects", lambda: textile(limit))
    else:
        print("conformal-clip-data is not installed; leaving textile out", file=sys.stderr)
    if find_spec("elpv_dataset"):
        for name, kinds in (
            ("solar cells, mono", ("mono",)),
            ("solar cells, poly", ("poly",)),
            ("solar cells, both", ("mono", "poly")),
        ):
            yield TestSet(name, lambda kinds=kinds: solar(kinds, limit))
    else:
        print("elpv-dataset is not installed; leaving solar cells out", file=sys.stderr)


def cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="moeclip-mini", help="built-in name or file")
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--pairs", type=int, default=400, help="generated pairs in each set")
    parser.add_argument("--limit", type=int, help="real images of each label at most")
    options = parser.parse_args()
    inspector = Inspector.load(
        options.model,
        backbone_weights=options.backbone_weights,
        image_size=options.image_size,
        device="cpu",
    )
    threshold = inspector.threshold.value
    scorers = [model_scorer(inspector), patch_neighbours, high_pass]
    print(
        "| set | normal / defective | image AUROC | pixel AUROC | false alarms | found "
        "| patch neighbours: image, pixel AUROC | high pass: image, pixel AUROC |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for test_set in test_sets(options.pairs, options.limit):
        model, neighbours, energy = judge(test_set.samples(), scorers)
        normal, anomalous, pixel = model
        others = [
            f"{auroc(a, n):.3f}" + (f", {cell(p)}" if cell(p) else "")
            for n, a, p in (neighbours, energy)
        ]
        print(
            f"| {test_set.name} | {len(normal)} / {len(anomalous)} "
            f"| {auroc(anomalous, normal):.3f} | {cell(pixel)} "
            f"| {(normal >= threshold).mean():.1%} | {(anomalous >= threshold).mean():.1%} "
            f"| {others[0]} | {others[1]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
