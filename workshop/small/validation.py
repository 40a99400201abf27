"""Quality on the cached pairs for choosing, and the threshold measured there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from mini_scores import Scores

from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.scoring import score
from small.network import compare
from small.tokens import Cache

_BATCH = 10


@dataclass(frozen=True)
class Quality:
    """Of a network on one kind of pairs.

    Attributes:
        image_auroc: clean against defective pictures.
        above_twin: share of pairs whose defective picture scores higher.
    """

    image_auroc: float
    above_twin: float


def quality(network: MoECLIP, cache: Cache, image_weight: float) -> Quality:
    """Measure a network, in evaluation mode, on cached pairs."""
    scores = np.concatenate(list(_scores(network, cache, image_weight)))
    clean, defective = scores[::2], scores[1::2]
    return Quality(
        Scores(clean, defective).auroc() or 0.0,
        float((defective > clean).mean()),
    )


@torch.inference_mode()
def _scores(network: MoECLIP, cache: Cache, image_weight: float) -> Iterator[np.ndarray]:
    for first in range(0, len(cache), _BATCH):
        batch = cache.read(range(first, min(first + _BATCH, len(cache))))
        with torch.autocast("cpu", torch.bfloat16):
            comparison = compare(network, batch)
        yield score(comparison, batch.grid, "industrial", image_weight).score.numpy()
