"""Evaluate models side by side on images that neither their training nor any choice saw.

    pip install conformal-clip-data elpv-dataset scikit-image
    python workshop/evaluate_models.py moeclip-mini my-small/moeclip-small.safetensors --cache DIR

Prints a table in Markdown. Image AUROC has a 95 % interval: a bootstrap over images, or over pairs
where each defective image has a clean twin. "Above its twin" is the share of those pairs whose
defective image scores higher; false alarms and defects found are those at the model's threshold.
"neighbours" is a baseline without any training: the distance of each patch to its eighth nearest in
the same image, in tokens of the built-in DINOv2. Scores are kept in the folder and not computed
again. On two cores, two commands with other --sets at once take less time than one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from evaluation_sets import SEED, SIDE, Sample, solar, synthetic, textile
from mini_scores import Pixels, Scores, format_metric
from numpy.typing import NDArray
from planted_photos import pairs as photographs
from robustness import DEGRADATIONS

from moeclip_cli import Inspector
from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.datasets.synthetic import (
    HELD_OUT_DEFECTS,
    HELD_OUT_FAMILIES,
    TRAINING_DEFECTS,
    TRAINING_FAMILIES,
    generate,
)
from moeclip_cli.evaluation.deployed import DeployedEvaluation
from moeclip_cli.inspection.network_input import network_input
from moeclip_cli.model.bank import image_score

NEIGHBOURS = "neighbours"
_BLOCK, _RANK = 8, 8
_RESAMPLES = 1000

Map = NDArray[np.float32]
Scorer = Callable[[Pixels], tuple[float, Map]]


@dataclass(frozen=True)
class Size:
    """How many images a set has: generated pairs, photographs, real images of each label."""

    pairs: int
    photographs: int
    limit: int | None


@dataclass(frozen=True)
class Found:
    """Results of a scorer on a set.

    Attributes:
        scores: of clean and defective images; in the same order if `twins`.
        twins: every defective image has a clean twin.
        pixel_auroc: None without masks.
        pro: None without masks.
        threshold: of the model; None for the baseline.
    """

    scores: Scores
    twins: bool
    pixel_auroc: float | None
    pro: float | None
    threshold: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="built-in names or checkpoint files")
    parser.add_argument("--cache", type=Path, required=True, help="folder for scores")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--pairs", type=int, default=400, help="generated pairs per set")
    parser.add_argument("--photographs", type=int, default=280, help="pairs of photographs")
    parser.add_argument("--limit", type=int, help="maximum number of real images per label")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    size = Size(options.pairs, options.photographs, options.limit)
    print(
        "| set | model | clean + defective | image AUROC | 95 % | above its twin | pixel AUROC "
        "| PRO | false alarms | found |",
        f"|{'---|' * 10}",
        sep="\n",
    )
    for set_name in options.sets:
        for model in (*options.models, NEIGHBOURS):
            path = options.cache / f"{set_name} {Path(model).stem}.pt".replace("/", "-")
            if not path.exists():
                torch.save(evaluate(model, SETS[set_name](size)), path)
            print(row(set_name, Path(model).stem, torch.load(path, weights_only=False)), flush=True)


def evaluate(model: str, samples: Iterator[Sample]) -> Found:
    """Score a set; pairs are a clean image and then its defective twin."""
    scorer, threshold = scorer_of(model)
    pixels = DeployedEvaluation()
    scores: tuple[list[float], list[float]] = ([], [])
    masked, order = False, []
    for sample in samples:
        score, anomaly_map = scorer(sample.pixels)
        scores[sample.anomalous].append(score)
        order.append(sample.anomalous)
        if sample.mask is not None:
            masked = True
            pixels.update(anomaly_map, score, sample.anomalous, sample.mask)
    metrics = pixels.compute().pixel if masked else None
    return Found(
        Scores(np.array(scores[0]), np.array(scores[1])),
        twins=order == [False, True] * (len(order) // 2),
        pixel_auroc=metrics.auroc if metrics else None,
        pro=metrics.pro if metrics else None,
        threshold=threshold,
    )


def scorer_of(model: str) -> tuple[Scorer, float | None]:
    """A function from an image to its score and map, and the threshold of the model."""
    if model == NEIGHBOURS:
        return neighbours(), None
    inspector = Inspector.load(model, device="cpu")

    def score(pixels: Pixels) -> tuple[float, Map]:
        result = next(inspector.score([pixels], prompt="object"))
        return result.score, result.anomaly_map

    return score, inspector.threshold.value


def neighbours() -> Scorer:
    network = load_tower(layers=(_BLOCK,)).network

    @torch.inference_mode()
    def score(pixels: Pixels) -> tuple[float, Map]:
        levels = network.levels(network_input(pixels, network)[None])
        tokens = F.normalize(levels.tokens[0][0], dim=-1)
        similar = (tokens @ tokens.T).fill_diagonal_(-2)
        distances = 1 - similar.topk(_RANK).values[:, -1]
        grid = distances.view(1, 1, *levels.grid)
        anomaly_map = F.interpolate(grid, scale_factor=8, mode="bilinear", align_corners=True)
        return float(image_score(distances[None])), anomaly_map[0, 0].numpy()

    return score


def row(set_name: str, model: str, found: Found) -> str:
    scores = found.scores
    low, high = interval(found)
    cells = [
        set_name,
        model,
        f"{len(scores.normal)} + {len(scores.defective)}",
        format_metric(scores.auroc()),
        f"{low:.3f} to {high:.3f}",
        f"{(scores.defective > scores.normal).mean():.1%}" if found.twins else "-",
        format_metric(found.pixel_auroc),
        format_metric(found.pro),
        *(
            ["-", "-"]
            if found.threshold is None
            else [f"{rate:.1%}" for rate in scores.rates(found.threshold)]
        ),
    ]
    return f"| {' | '.join(cells)} |"


def interval(found: Found) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of image AUROC over resampled images or pairs."""
    rng = np.random.default_rng(0)
    normal, defective = found.scores.normal, found.scores.defective
    aurocs = []
    for _ in range(_RESAMPLES):
        chosen = rng.integers(len(normal), size=len(normal))
        others = chosen if found.twins else rng.integers(len(defective), size=len(defective))
        aurocs.append(Scores(normal[chosen], defective[others]).auroc())
    low, high = np.percentile(aurocs, [2.5, 97.5])
    return float(low), float(high)


def generated(families: tuple[str, ...], defects: tuple[str, ...], size: Size) -> Iterator[Sample]:
    return synthetic(families, defects, size.pairs)


def cells(kind: str, size: Size) -> Iterator[Sample]:
    return (sample for sample in solar(size.limit) if sample.part == kind)


def planted(size: Size) -> Iterator[Sample]:
    for clean, defective in photographs(size.photographs):
        yield Sample(clean, False)
        yield Sample(defective, True)


def through_camera(name: str, size: Size) -> Iterator[Sample]:
    """Half as many pairs of held-out families, through a worse camera."""
    rng = np.random.default_rng(SEED)
    for index in range(size.pairs // 2):
        pair = generate(SEED, index, SIDE, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
        for pixels, anomalous in ((pair.clean, False), (pair.defective, True)):
            yield Sample(DEGRADATIONS[name](pixels, rng), anomalous)


SETS: dict[str, Callable[[Size], Iterator[Sample]]] = {
    "generated, held-out families": partial(generated, HELD_OUT_FAMILIES, TRAINING_DEFECTS),
    "generated, held-out defects": partial(generated, TRAINING_FAMILIES, HELD_OUT_DEFECTS),
    "generated, both held out": partial(generated, HELD_OUT_FAMILIES, HELD_OUT_DEFECTS),
    "solar cells, mono": partial(cells, "mono"),
    "solar cells, poly": partial(cells, "poly"),
    "textile, local defects": lambda size: textile(size.limit),
    "parts of photographs": planted,
    "JPEG of quality 75": partial(through_camera, "JPEG of quality 75"),
    "noise of 2 %": partial(through_camera, "noise of 2 %"),
}

if __name__ == "__main__":
    main()
