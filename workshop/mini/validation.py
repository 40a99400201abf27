"""Validation on generated images outside the training set, and the threshold measured there.

Families, types of defect and cameras are those of the training; held-out ones are reserved for the
final evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mini.camera import photograph
from mini.recipe import Recipe
from moeclip_cli.datasets.synthetic import TRAINING_DEFECTS, TRAINING_FAMILIES, generate
from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.deployed import DeployedEvaluation
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.conformal import attainable_rate, conformal_threshold
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.scoring import score_scales

FALSE_ALARMS = 0.05
"""Accepted rate of false alarms, as a fraction of the normal images."""

VALIDATED_PROMPT = "object"
"""The prompt that the model is validated with, which stands for all others."""

_SEED = 20_260_001

# Side of the images in pixels, independent of the network's input size, to compare input sizes.
_SIDE = 320


@dataclass(frozen=True)
class Validation:
    """Quality of the weights.

    Attributes:
        image_auroc: clean against defective images.
        pixel_auroc: over the pixels of the defective images.
        threshold: conformal threshold at `FALSE_ALARMS`, or at the lowest rate that so few clean
            images allow.
        found: share of the defective images at or above the threshold.
        pairs: number of pairs.
    """

    image_auroc: float
    pixel_auroc: float
    threshold: float
    found: float
    pairs: int


def validate(network: MoECLIP, recipe: Recipe) -> Validation:
    """Measure a network on generated pairs, with the recipe's deployed scoring."""
    pairs = recipe.validation_pairs
    training = network.training
    network.eval()
    with torch.inference_mode():
        text = network.encode_text([VALIDATED_PROMPT])[0]
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
        raise UsageError(f"Too few pairs for metrics ({pairs}); raise `validation_pairs`.")
    threshold = conformal_threshold(normal, attainable_rate(pairs, FALSE_ALARMS))
    return Validation(
        image_auroc=metrics.image.auroc,
        pixel_auroc=metrics.pixel.auroc,
        threshold=threshold,
        found=sum(score >= threshold for score in anomalous) / pairs,
        pairs=pairs,
    )


def _batch(network: MoECLIP, pictures: Sequence[NDArray[np.uint8]], side: int) -> Tensor:
    """Network input (B, 3, side, side)."""
    return torch.stack([preprocess(pixels, side, network.preprocessing) for pixels in pictures])


@torch.inference_mode()
def _score(
    network: MoECLIP, recipe: Recipe, text: Tensor, pictures: Sequence[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Deployed scores (B,) and maps (B, _SIDE, _SIDE)."""
    comparisons = [network(_batch(network, pictures, side), text) for side in recipe.sizes]
    scores = score_scales(comparisons, _SIDE, "industrial", recipe.image_weight)
    return scores.score.numpy(), scores.probability.numpy()
