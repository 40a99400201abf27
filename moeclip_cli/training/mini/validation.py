"""Measurements on generated images that training never showed, and the threshold found there.

The families and kinds of defect are those of the training; what is held out entirely stays for the
final evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import TRAINING_DEFECTS, TRAINING_FAMILIES, generate
from moeclip_cli.inspection.scoring import score
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.mini.batches import normalise

FALSE_ALARMS = 0.05
"""Share of normal images that the threshold may call anomalous."""

_SEED = 20_260_001
_BATCH = 8


@dataclass(frozen=True)
class Validation:
    """How good the weights are.

    Attributes:
        image_auroc: clean against defective images.
        pixel_auroc: over the pixels of the defective images, at a quarter of the resolution.
        threshold: score that `FALSE_ALARMS` of the clean images reach.
        found: share of the defective images at or above the threshold.
        pairs: number of pairs measured.
    """

    image_auroc: float
    pixel_auroc: float
    threshold: float
    found: float
    pairs: int


def validate(network: MoECLIP, image_size: int, pairs: int) -> Validation:
    """Measure a network on pairs of the training's kind."""
    training = network.training
    network.eval()
    clean, defective, maps, masks = [], [], [], []
    for first in range(0, pairs, _BATCH):
        numbers = range(first, min(first + _BATCH, pairs))
        batch = [
            generate(_SEED, index, image_size, TRAINING_FAMILIES, TRAINING_DEFECTS)
            for index in numbers
        ]
        clean.append(_score(network, [pair.clean for pair in batch])[0])
        scores, probability = _score(network, [pair.defective for pair in batch])
        defective.append(scores)
        maps.append(probability[:, ::4, ::4])
        masks.append(np.stack([pair.mask[::4, ::4] for pair in batch]))
    network.train(training)
    normal, anomalous = np.concatenate(clean), np.concatenate(defective)
    threshold = float(np.quantile(normal, 1 - FALSE_ALARMS))
    mask = np.concatenate(masks)
    values = np.concatenate(maps)
    return Validation(
        image_auroc=auroc(anomalous, normal),
        pixel_auroc=auroc(values[mask], values[~mask]),
        threshold=threshold,
        found=float((anomalous >= threshold).mean()),
        pairs=pairs,
    )


def auroc(anomalous: NDArray[np.float32], normal: NDArray[np.float32]) -> float:
    """Chance that an anomalous value exceeds a normal one, ties counting half."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, anomalous, "left")
    not_above = np.searchsorted(ordered, anomalous, "right")
    return float((below + not_above).mean() / 2 / len(normal))


@torch.inference_mode()
def _score(
    network: MoECLIP, images: Sequence[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Deployed scores (B,) and maps (B, S, S)."""
    batch = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
    text = network.encode_text(["object"])[0]
    scores = score(network(normalise(batch), text), batch.shape[-1], "industrial")
    return scores.score.numpy(), scores.probability.numpy()
