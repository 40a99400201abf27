"""Measure `moeclip score --mutual`: a set of images that scores itself.

    python workshop/evaluate_mutual.py generated --size 224
    pip install conformal-clip-data elpv-dataset
    python workshop/evaluate_mutual.py real --size 224
    python workshop/evaluate_mutual.py real --size 224 --defective 8

A generated set shows crops of one large generated texture under varying light, some of them with a
planted defect. The real sets are solar cells and textile; nothing is trained or chosen on them. The
table has the image AUROC with a bootstrap 95 % interval (10,000 draws of the scores, which were
computed once), and the rates of false alarms and of defects found at the outlier limit.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from evaluation_sets import Sample, solar, textile
from mini_scores import Pixels, Scores
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import plant_defect
from moeclip_cli.datasets.synthetic.textures import texture
from moeclip_cli.inspection.mutual import MutualInspector

TEXTURES = ("weave", "leather", "tiles")
SEED = 20_260_003
SIDE = 256
# Crops along each side of the texture that they are taken from; they do not overlap.
CROPS = 8
LIGHT = 0.08
DRAWS = 10_000
GOOD, DEFECTIVE = 48, 12
"""Generated images of a set."""
SOLAR, TEXTILE = 60, 40
"""Real images of each label in a set."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=["generated", "real"])
    parser.add_argument("--size", type=int, default=448, help="network input size in pixels")
    parser.add_argument("--model", help="built-in name or checkpoint file; DINOv2 by default")
    parser.add_argument("--defective", type=int, help="images of each set with a defect")
    options = parser.parse_args()
    inspector = MutualInspector.load(options.model, image_size=options.size, device="cpu")
    if options.data == "real":
        sets = real(options.defective)
    else:
        sets = ((name, sheet(name, GOOD, options.defective or DEFECTIVE)) for name in TEXTURES)
    print("| set | images | defective | image AUROC | 95 % | false alarms | found | s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name, samples in sets:
        print(row(name, inspector, samples), flush=True)


def real(defective: int | None) -> Iterator[tuple[str, list[Sample]]]:
    """The real sets, with all or with some of their defective images."""
    sets: dict[str, list[Sample]] = defaultdict(list)
    for sample in textile(TEXTILE):
        sets["textile"].append(sample)
    for sample in solar(SOLAR):
        sets[f"solar cells, {sample.part}"].append(sample)
    for name, samples in sets.items():
        good = [sample for sample in samples if not sample.anomalous]
        others = [sample for sample in samples if sample.anomalous]
        step = 1 if defective is None else max(1, len(others) // defective)
        yield name, good + others[::step][:defective]


def sheet(pattern: str, good: int, defective: int) -> list[Sample]:
    """Crops of one texture, the last ones with a defect."""
    rng = np.random.default_rng([SEED, sum(pattern.encode())])
    large = 255 * texture(rng, CROPS * SIDE, pattern)
    samples = []
    for number, place in enumerate(rng.permutation(CROPS**2)[: good + defective]):
        y, x = SIDE * np.array(divmod(int(place), CROPS))
        crop = large[y : y + SIDE, x : x + SIDE] * (1 + rng.uniform(-LIGHT, LIGHT))
        pixels = np.clip(crop, 0, 255).astype(np.uint8)
        anomalous = number >= good
        samples.append(Sample(planted(pixels, rng) if anomalous else pixels, anomalous))
    return samples


def planted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return plant_defect(pixels, rng)[0]


def row(name: str, inspector: MutualInspector, samples: list[Sample]) -> str:
    started = time.perf_counter()
    results = list(inspector.score([sample.pixels for sample in samples]))
    seconds = time.perf_counter() - started
    labels = np.array([sample.anomalous for sample in samples])
    values = np.array([result.score for result in results])
    scores = Scores(values[~labels], values[labels])
    low, high = interval(scores)
    alarms, found = scores.rates(results[0].threshold)
    return (
        f"| {name} | {len(samples)} | {labels.sum()} | {scores.auroc():.3f} | {low:.3f} to "
        f"{high:.3f} | {alarms:.0%} | {found:.0%} | {seconds:.0f} |"
    )


def interval(scores: Scores) -> NDArray[np.float64]:
    """Bootstrap 95 % interval of the AUROC, with as many images of each label in every draw."""
    rng = np.random.default_rng(0)
    wins = np.sign(scores.defective[:, None] - scores.normal[None]) / 2 + 0.5
    draws = [
        wins[rng.integers(len(wins), size=len(wins))][
            :, rng.integers(wins.shape[1], size=wins.shape[1])
        ].mean()
        for _ in range(DRAWS)
    ]
    return np.percentile(draws, [2.5, 97.5])


if __name__ == "__main__":
    main()
