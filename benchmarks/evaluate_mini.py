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
from moeclip_cli.datasets.synthetic.parts import SHAPES
from moeclip_cli.datasets.synthetic.textures import PATTERNS
from moeclip_cli.training.mini.validation import auroc

SEED = 20_260_002
SIDE = 256
STRIDE = 4  # pixel AUROC over every fourth pixel of each side
BASELINE_SIDE = 224

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """An image, whether it has a defect, where (if that is known), and its part of the set."""

    pixels: Pixels
    anomalous: bool
    mask: NDArray[np.bool_] | None = None
    part: str = ""


@dataclass(frozen=True)
class Scored:
    """What one scorer said about one sample; `inside` and `outside` are map values."""

    value: float
    anomalous: bool
    part: str
    inside: Map
    outside: Map


Scorer = Callable[[Pixels], tuple[float, Map]]


def synthetic(families: tuple[str, ...], defects: tuple[str, ...], pairs: int) -> Iterator[Sample]:
    for index in range(pairs):
        pair = generate(SEED, index, SIDE, families, defects)
        part = group_of(pair.family)
        yield Sample(pair.clean, False, np.zeros_like(pair.mask), part)
        yield Sample(pair.defective, True, pair.mask, part)


def group_of(family: str) -> str:
    return "textures" if family in PATTERNS else "parts" if family in SHAPES else "panels"


def textile(limit: int | None) -> Iterator[Sample]:
    import conformal_clip_data

    for folder, anomalous in (
        (conformal_clip_data.nominal_dir(), False),
        (conformal_clip_data.local_dir(), True),
    ):
        for path in sorted(p for p in folder.iterdir() if p.suffix == ".jpg")[:limit]:
            yield Sample(read(path), anomalous)


def solar(limit: int | None) -> Iterator[Sample]:
    spec = find_spec("elpv_dataset")
    folder = Path(spec.origin).parent / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text().splitlines()]
    for kind in ("mono", "poly"):
        for probability in (0.0, 1.0):
            chosen = [row[0] for row in rows if float(row[1]) == probability and row[2] == kind]
            # Spread over the list, whose neighbours come from the same module.
            step = 1 if limit is None else max(1, len(chosen) // limit)
            for path in chosen[::step][:limit]:
                yield Sample(read(folder / path), probability == 1.0, part=kind)


def read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def model_scorer(inspector: Inspector) -> Scorer:
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


def judge(samples: Iterator[Sample], scorers: list[Scorer]) -> list[list[Scored]]:
    """What each scorer says about each sample."""
    said: list[list[Scored]] = [[] for _ in scorers]
    for sample in samples:
        mask = None if sample.mask is None else sample.mask[::STRIDE, ::STRIDE]
        for scorer, scored in zip(scorers, said, strict=True):
            value, found = scorer(sample.pixels)
            inside = outside = np.empty(0, np.float32)
            if mask is not None:
                thinned = found[::STRIDE, ::STRIDE]
                inside, outside = thinned[mask], thinned[~mask]
            scored.append(Scored(value, sample.anomalous, sample.part, inside, outside))
    return said


def values(scored: list[Scored], anomalous: bool) -> NDArray:
    return np.array([s.value for s in scored if s.anomalous == anomalous])


def aurocs(scored: list[Scored]) -> str:
    """Image AUROC and, where masks are known, pixel AUROC."""
    image = auroc(values(scored, True), values(scored, False))
    inside = np.concatenate([s.inside for s in scored])
    if len(inside) == 0:
        return f"{image:.3f}"
    return f"{image:.3f} / {auroc(inside, np.concatenate([s.outside for s in scored])):.3f}"


def row(name: str, said: list[list[Scored]], threshold: float) -> str:
    model = said[0]
    normal, anomalous = values(model, False), values(model, True)
    cells = [
        name,
        f"{len(normal)} + {len(anomalous)}",
        aurocs(model),
        f"{(normal >= threshold).mean():.1%}",
        f"{(anomalous >= threshold).mean():.1%}",
        *(aurocs(scored) for scored in said[1:]),
    ]
    return f"| {' | '.join(cells)} |"


def test_sets(pairs: int, limit: int | None) -> Iterator[tuple[str, Iterator[Sample]]]:
    yield (
        "generated, held-out families",
        synthetic(HELD_OUT_FAMILIES, TRAINING_DEFECTS, pairs),
    )
    yield "generated, held-out defects", synthetic(TRAINING_FAMILIES, HELD_OUT_DEFECTS, pairs)
    yield "generated, both held out", synthetic(HELD_OUT_FAMILIES, HELD_OUT_DEFECTS, pairs)
    if find_spec("conformal_clip_data"):
        yield "textile, local defects", textile(limit)
    else:
        print("conformal-clip-data is not installed; leaving textile out", file=sys.stderr)
    if find_spec("elpv_dataset"):
        yield "solar cells", solar(limit)
    else:
        print("elpv-dataset is not installed; leaving solar cells out", file=sys.stderr)


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
        "| set | normal + defective | image AUROC / pixel AUROC | false alarms | found "
        "| patch neighbours | high-pass energy |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, samples in test_sets(options.pairs, options.limit):
        said = judge(samples, scorers)
        print(row(name, said, threshold), flush=True)
        parts = sorted({scored.part for scored in said[0]})
        for part in parts if len(parts) > 1 else ():
            chosen = [[scored for scored in one if scored.part == part] for one in said]
            print(row(f"{name}: {part}", chosen, threshold), flush=True)


if __name__ == "__main__":
    main()
