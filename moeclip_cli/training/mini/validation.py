"""Measurements on generated images that training never showed, and the threshold found there.

The families, kinds of defect and cameras are those of the training; what is held out entirely stays
for the final evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moeclip_cli.datasets.synthetic import TRAINING_DEFECTS, TRAINING_FAMILIES, generate
from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.deployed import DeployedEvaluation
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.scoring import score_scales
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.mini.camera import photograph
from moeclip_cli.training.mini.recipe import Recipe

FALSE_ALARMS = 0.05
"""Share of normal images that the threshold may call anomalous."""

_SEED = 20_260_001

# Side of the pictures, whatever the network makes of it, so that input sizes can be compared.
_SIDE = 320


@dataclass(frozen=True)
class Validation:
    """How good the weights are.

    Attributes:
        image_auroc: clean against defective images.
        pixel_auroc: over the pixels of the defective images.
        threshold: score that `FALSE_ALARMS` of the clean images reach.
        found: share of the defective images at or above the threshold.
        pairs: number of pairs measured.
    """

    image_auroc: float
    pixel_auroc: float
    threshold: float
    found: float
    pairs: int


def validate(network: MoECLIP, recipe: Recipe) -> Validation:
    """Measure a network on pairs of the training's kind, deployed as the recipe says."""
    pairs = recipe.validation_pairs
    training = network.training
    network.eval()
    with torch.inference_mode():
        text = network.encode_text(["object"])[0]
    evaluation = DeployedEvaluation()
    normal: list[float] = []
    anomalous: list[float] = []
    for index in range(pairs):
        pair = generate(_SEED, index, _SIDE, TRAINING_FAMILIES, TRAINING_DEFECTS)
        pictures = photograph([pair.clean, pair.defective], np.random.default_rng([_SEED, index]))
        scores, maps = _score(network, recipe, text, pictures)
        normal.append(float(scores[0]))
        anomalous.append(float(scores[1]))
        evaluation.update(maps[0], normal[-1], False, None)
        evaluation.update(maps[1], anomalous[-1], True, pair.mask)
    network.train(training)
    metrics = evaluation.compute()
    if metrics.image.auroc is None or metrics.pixel.auroc is None:
        raise UsageError(f"Nothing can be measured on {pairs} validation pairs; use more.")
    threshold = float(np.quantile(normal, 1 - FALSE_ALARMS))
    return Validation(
        image_auroc=metrics.image.auroc,
        pixel_auroc=metrics.pixel.auroc,
        threshold=threshold,
        found=sum(score >= threshold for score in anomalous) / pairs,
        pairs=pairs,
    )


@torch.inference_mode()
def _score(
    network: MoECLIP, recipe: Recipe, text: Tensor, pictures: Sequence[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Deployed scores (B,) and maps (B, _SIDE, _SIDE)."""
    comparisons = [
        network(torch.stack([preprocess(pixels, side) for pixels in pictures]), text)
        for side in recipe.sizes
    ]
    scores = score_scales(comparisons, _SIDE, "industrial", recipe.image_weight)
    return scores.score.numpy(), scores.probability.numpy()
