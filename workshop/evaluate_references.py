"""Measure scoring with references on real solar cells and textile.

    pip install conformal-clip-data elpv-dataset
    python workshop/evaluate_references.py

For each number of references and each random draw of them among the good images, the remaining good
images and the defective ones are scored. The table has the mean image AUROC over the draws with the
2.5th and 97.5th percentile, and the mean rate of false alarms at the threshold of the references,
next to the promised one. Nothing is trained or chosen on these images.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from evaluation_sets import Sample, solar, textile
from mini_scores import Scores
from numpy.typing import NDArray

from moeclip_cli.checkpoints.loading import TOWER_LAYERS, LoadedModel, load_tower
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.inspection.conformal import attainable_rate, conformal_threshold
from moeclip_cli.inspection.network_input import network_input
from moeclip_cli.model.bank import PatchBank, image_score

Tokens = list[torch.Tensor]


@dataclass(frozen=True)
class Features:
    """Tokens of good and of defective images: for each image, (L, D) of each level."""

    good: list[Tokens]
    defective: list[Tokens]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--draws", type=int, default=10, help="random draws of references")
    parser.add_argument("--limit", type=int, default=120, help="test images of each label")
    parser.add_argument("--size", type=int, default=448, help="network input size in pixels")
    parser.add_argument("--layers", type=int, nargs="+", default=list(TOWER_LAYERS))
    parser.add_argument("--bf16", action="store_true", help="run the network in bfloat16")
    options = parser.parse_args()
    tower = load_tower(layers=tuple(options.layers), image_size=options.size)
    tower.network.set_precision(torch.bfloat16 if options.bf16 else torch.float32)
    # Good images beyond the tested ones serve as references.
    spare = max(options.shots)
    samples = [*solar(options.limit + spare), *textile(options.limit + spare)]
    print("| set | references | image AUROC | 95% of draws | false alarms | promised |")
    print("|---|---|---|---|---|---|", flush=True)
    for name, features in all_features(tower, samples, options.limit).items():
        for shots in options.shots:
            results = [
                evaluate(features, shots, options.limit, np.random.default_rng([draw, shots]))
                for draw in range(options.draws)
            ]
            print(row(name, shots, results), flush=True)


@torch.inference_mode()
def all_features(tower: LoadedModel, samples: list[Sample], limit: int) -> dict[str, Features]:
    """Tokens of every set, in half precision; only `limit` defective images are kept."""
    found: dict[str, Features] = defaultdict(lambda: Features([], []))
    for sample in samples:
        features = found[sample.part or "textile"]
        if sample.anomalous and len(features.defective) == limit:
            continue
        pixels = network_input(sample.pixels, tower.network)
        tokens = [level[0].half() for level in tower.network.levels(pixels[None]).tokens]
        (features.defective if sample.anomalous else features.good).append(tokens)
    return dict(found)


def evaluate(
    features: Features, shots: int, limit: int, rng: np.random.Generator
) -> tuple[float, float | None, float]:
    """Image AUROC, false alarms at the references' threshold and the promised rate, of one draw."""
    order = rng.permutation(len(features.good))
    references = [features.good[index] for index in order[:shots]]
    bank = PatchBank.of(references)
    scores = Scores(
        score_all(bank, [features.good[index] for index in order[shots : shots + limit]]),
        score_all(bank, features.defective),
    )
    auroc = scores.auroc()
    if shots == 1:
        return auroc, None, float("nan")
    left_out = score_all(bank, references, leave_out=True)
    rate = attainable_rate(shots, FALSE_ALARMS)
    threshold = conformal_threshold(left_out.tolist(), rate)
    return auroc, scores.rates(threshold)[0], rate


def score_all(
    bank: PatchBank, images: list[Tokens], *, leave_out: bool = False
) -> NDArray[np.float64]:
    """Scores of images; with `leave_out` image i is not compared with reference i."""
    return np.array(
        [
            image_score(
                bank.distances(
                    [level[None] for level in tokens],
                    torch.tensor([index]) if leave_out else None,
                )
            ).item()
            for index, tokens in enumerate(images)
        ]
    )


def row(name: str, shots: int, results: list[tuple[float, float | None, float]]) -> str:
    aurocs = np.array([result[0] for result in results])
    low, high = np.percentile(aurocs, [2.5, 97.5])
    alarms = [result[1] for result in results if result[1] is not None]
    rates = f"{np.mean(alarms):.1%} | {results[0][2]:.1%}" if alarms else "- | -"
    return f"| {name} | {shots} | {aurocs.mean():.3f} | {low:.3f} to {high:.3f} | {rates} |"


if __name__ == "__main__":
    main()
