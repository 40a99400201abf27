"""Judge the built-in model on what it never saw, beside baselines without any training.

    pip install conformal-clip-data elpv-dataset
    python benchmarks/evaluate_mini.py

prints a table of the model and one of the baselines, in Markdown. Data:

- generated images of families, and with kinds of defect, that training never drew;
- conformal-clip-data (MIT): textile, nominal against local defects;
- elpv-dataset (CC BY-NC-SA 4.0): solar cells, defect probability 1 against 0.

The two real sets are used here and nowhere else: not to train, not to choose a checkpoint, not to
set a threshold. Without their packages they are left out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from mini_scores import Pixels, load_model, model_parser
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
from moeclip_cli.evaluation.deployed import DeployedEvaluation

SEED = 20_260_002
SIDE = 256
BASELINE_SIDE = 224
PATCH = 16

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """An image, whether it has a defect, where (if that is known), and its part of the set."""

    pixels: Pixels
    anomalous: bool
    mask: NDArray[np.bool_] | None = None
    part: str = ""


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
    windows = patch_windows(baseline_input(pixels))
    return far_from_neighbours(windows.reshape(*windows.shape[:2], -1), pixels)


def gradient_neighbours(pixels: Pixels) -> tuple[float, Map]:
    """The same on histograms of gradients: 8 directions in each quarter of a patch."""
    grey = cv2.GaussianBlur(baseline_input(pixels), (0, 0), 1)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    length, angle = cv2.cartToPolar(dx, dy)
    direction = (angle * (8 / (2 * np.pi))).astype(int) % 8
    half = PATCH // 2
    quarters = []
    for one in range(8):
        windows = patch_windows(np.where(direction == one, length, 0).astype(np.float32))
        shape = (*windows.shape[:2], 2, half, 2, half)
        quarters.append(windows.reshape(shape).sum((3, 5)).reshape(*windows.shape[:2], 4))
    return far_from_neighbours(np.sqrt(np.concatenate(quarters, 2)), pixels)


def patch_windows(field: Map) -> Map:
    """Overlapping patches (g, g, PATCH, PATCH) of a field (S, S)."""
    step = PATCH // 2
    return np.lib.stride_tricks.sliding_window_view(field, (PATCH, PATCH))[::step, ::step]


def far_from_neighbours(descriptors: Map, pixels: Pixels) -> tuple[float, Map]:
    """Distance of each of (g, g, d) descriptors to the third nearest that does not overlap it."""
    grid = descriptors.shape[0]
    flat = descriptors.reshape(grid * grid, -1)
    squared = (flat**2).sum(1)
    distance = squared[:, None] + squared[None] - 2 * flat @ flat.T
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    overlapping = (np.abs(rows[:, None] - rows) < 2) & (np.abs(columns[:, None] - columns) < 2)
    distance[overlapping] = np.inf
    third = np.sqrt(np.maximum(np.partition(distance, 2, axis=1)[:, 2], 0))
    found = third.reshape(grid, grid).astype(np.float32)
    return float(found.max()), to_size(found, pixels)


BASELINES: dict[str, Scorer] = {
    "patch neighbours": patch_neighbours,
    "gradient neighbours": gradient_neighbours,
    "high-pass energy": high_pass,
}


def baseline_input(pixels: Pixels) -> Map:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    side = (BASELINE_SIDE, BASELINE_SIDE)
    small = cv2.resize(grey, side, interpolation=cv2.INTER_AREA).astype(np.float32)
    return (small - small.mean()) / (small.std() + 1e-3)


def to_size(found: Map, pixels: Pixels) -> Map:
    return cv2.resize(found, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)


class Judge:
    """Metrics of one scorer on one set, and of how many images reach a threshold."""

    def __init__(self) -> None:
        self.evaluation = DeployedEvaluation()
        self.normal: list[float] = []
        self.anomalous: list[float] = []

    def add(self, sample: Sample, score: float, found: Map) -> None:
        self.evaluation.update(found, score, sample.anomalous, sample.mask)
        (self.anomalous if sample.anomalous else self.normal).append(score)

    def metrics(self) -> tuple[float | None, ...]:
        """Image AUROC and AP; pixel AUROC, AP and PRO, None without masks."""
        found = self.evaluation.compute()
        image, pixel = found.image, found.pixel
        return image.auroc, image.average_precision, pixel.auroc, pixel.average_precision, pixel.pro


def judge(samples: Iterator[Sample], scorers: dict[str, Scorer]) -> dict[str, dict[str, Judge]]:
    """A judge for each part of the set, "" for all of it, and each scorer."""
    judges: dict[str, dict[str, Judge]] = defaultdict(lambda: defaultdict(Judge))
    for sample in samples:
        for name, scorer in scorers.items():
            score, found = scorer(sample.pixels)
            for part in {"", sample.part}:
                judges[part][name].add(sample, score, found)
    return judges


def model_row(name: str, judged: dict[str, Judge], threshold: float) -> str:
    model = judged["model"]
    normal, anomalous = np.array(model.normal), np.array(model.anomalous)
    cells = [
        name,
        f"{len(normal)} + {len(anomalous)}",
        *(number(value) for value in model.metrics()),
        f"{(normal >= threshold).mean():.1%}",
        f"{(anomalous >= threshold).mean():.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def baseline_row(name: str, judged: dict[str, Judge]) -> str:
    """Image AUROC and pixel AUROC of each baseline, in bold where the model is not better."""
    ours = judged["model"].metrics()
    cells = [name]
    for baseline in BASELINES:
        theirs = judged[baseline].metrics()
        pairs = [(theirs[which], ours[which]) for which in (0, 2)]
        cells.append(" / ".join(beaten(*pair) for pair in pairs if pair[0] is not None))
    return f"| {' | '.join(cells)} |"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def beaten(theirs: float, ours: float) -> str:
    return number(theirs) if ours > theirs else f"**{number(theirs)}**"


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
    parser = model_parser(__doc__)
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--pairs", type=int, default=400, help="generated pairs in each set")
    parser.add_argument("--limit", type=int, help="real images of each label at most")
    options = parser.parse_args()
    inspector = load_model(options, image_size=options.image_size)
    scorers = {"model": model_scorer(inspector), **BASELINES}
    rows, baselines = [], []
    for name, samples in test_sets(options.pairs, options.limit):
        judges = judge(samples, scorers)
        for part in sorted(judges):
            title = f"{name}: {part}" if part else name
            rows.append(model_row(title, judges[part], inspector.threshold.value))
            baselines.append(baseline_row(title, judges[part]))
        print(f"{name}: done", file=sys.stderr, flush=True)
    print(
        "| set | normal + defective | image AUROC | image AP | pixel AUROC | pixel AP | PRO "
        "| false alarms | found |"
    )
    print("|---|---|---|---|---|---|---|---|---|", *rows, sep="\n")
    print()
    print(f"| image AUROC / pixel AUROC | {' | '.join(BASELINES)} |")
    print("|---|" + "---|" * len(BASELINES), *baselines, sep="\n")


if __name__ == "__main__":
    main()
