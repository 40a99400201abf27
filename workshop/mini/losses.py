"""Losses of the built-in model's training.

Shapes: M maps, B images, L patches.

The losses follow the paper (method section 4) with these differences, which matter when a tower is
trained from random weights: the focal loss is divided by the number of anomalous patches instead of
all patches, the dice loss is computed over the batch, both on the grid of patches instead of
pixels; and the mean of both image scores is trained too, by comparing every defective image with
every clean one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mini.batches import Batch
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.losses import balance_loss, etf_loss, expert_load
from moeclip_cli.model.moeclip import Comparison
from moeclip_cli.model.scoring import LOGIT_SCALE, score

_GAMMA = 2.0
_BALANCE_WEIGHT = 0.01
_IMAGE_SCALE = 4.0
_RANK_SCALE = 10.0


def total_loss(
    comparison: Comparison, adapters: Sequence[MoEAdapter], batch: Batch, etf_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Return the sum of all parts of the loss, and each part for the log."""
    difference = LOGIT_SCALE * (comparison.patches[..., 1] - comparison.patches[..., 0]).float()
    size = batch.images.shape[-1]
    deployed = score(comparison, size, "industrial")
    regularisers = [
        etf_weight * etf_loss(routing, adapter)
        + _BALANCE_WEIGHT * balance_loss(expert_load(routing))
        for routing, adapter in zip(comparison.routing, adapters, strict=True)
    ]
    parts = {
        "focal": focal(difference, batch.target, batch.weight),
        "dice": dice(difference.sigmoid(), batch.target, batch.weight),
        "image": F.cross_entropy(_IMAGE_SCALE * comparison.image.float(), batch.label.long()),
        "rank": ranking(deployed.score, batch.label),
        "adapters": torch.stack(regularisers).sum(),
    }
    total = torch.stack(list(parts.values())).sum()
    return total, {name: float(part.detach()) for name, part in parts.items()}


def focal(difference: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the focal loss of logits (M, B, L) per anomalous patch, averaged over maps.

    Patches are weighted by `weight` (B, L), in the sum and in the number of anomalous ones.
    """
    expected = target.expand_as(difference)
    entropy = F.binary_cross_entropy_with_logits(difference, expected, reduction="none")
    missed = (difference.sigmoid() - expected).abs()
    summed = (missed**_GAMMA * entropy * weight).sum(dim=(1, 2))
    return summed.mean() / (target * weight).sum().clamp(min=1)


def dice(probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the dice loss of both classes over the batch; probabilities are (M, B, L)."""

    def one_class(p: Tensor, t: Tensor) -> Tensor:
        overlap = (p * t * weight).sum(dim=(1, 2))
        sizes = ((p + t) * weight).sum(dim=(1, 2))
        return 1 - ((2 * overlap + 1) / (sizes + 1)).mean()

    expected = target.expand_as(probability)
    return one_class(probability, expected) + one_class(1 - probability, 1 - expected)


def ranking(scores: Tensor, label: Tensor) -> Tensor:
    """Return a smooth 1 - AUROC of image scores (B,) and labels (B,)."""
    anomalous, normal = scores[label > 0], scores[label == 0]
    if len(anomalous) == 0 or len(normal) == 0:
        return scores.sum() * 0
    gaps = anomalous[:, None] - normal[None, :]
    return F.softplus(-_RANK_SCALE * gaps).mean()
