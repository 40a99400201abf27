"""Distances to many candidate references at once, so that each draw of references is a minimum.

The nearest patch of a bank is the nearest of the nearest patches of its images. For each image, the
distances of its patches to the nearest one of each candidate are therefore computed once; a draw of
references then takes no further matrix product, and gives the same scores as `PatchBank`.

Shapes: K levels, N images, P candidates, L patches of an image, D width of a level.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mini_scores import Pixels
from numpy.typing import NDArray

from moeclip_cli.inspection.network_input import network_input
from moeclip_cli.model.bank import SHARE, image_score
from moeclip_cli.model.frozen_tower import FrozenTower

# Candidates of one matrix product: 32 MB of similarities at 1,024 patches.
_CANDIDATES = 8


@torch.inference_mode()
def tokens_of(network: FrozenTower, images: Iterable[Pixels]) -> list[torch.Tensor]:
    """Unit vectors (K, L, D) of each image, in half precision as in a bank."""
    return [
        F.normalize(torch.cat(network.levels(network_input(pixels, network)[None]).tokens), dim=-1)
        .half()
        for pixels in images
    ]  # fmt: skip


@torch.inference_mode()
def nearest(image: torch.Tensor, candidates: Sequence[torch.Tensor]) -> torch.Tensor:
    """Cosine distance of each patch to the nearest patch of each candidate, (K, P, L).

    Args:
        image: (K, L, D).
        candidates: (K, L', D) each, of one shape.
    """
    found = []
    for start in range(0, len(candidates), _CANDIDATES):
        block = torch.stack(list(candidates[start : start + _CANDIDATES]), dim=1).float()
        similarity = image.float() @ block.flatten(1, 2).transpose(1, 2)
        found.append(similarity.unflatten(2, block.shape[1:3]).amax(dim=3).transpose(1, 2))
    return 1 - torch.cat(found, dim=1)


def scores(
    distances: torch.Tensor, chosen: Sequence[int], share: float = SHARE
) -> NDArray[np.float64]:
    """Score (N,) of images that are compared with some of the candidates.

    Args:
        distances: (N, K, P, L), see `nearest`.
        chosen: numbers of the candidates.
        share: share of the patches that the score is the mean of.
    """
    patches = distances[:, :, list(chosen)].amin(dim=2).mean(dim=1).clamp(0, 1)
    return image_score(patches, share).double().numpy()


def left_out_scores(
    distances: torch.Tensor, chosen: Sequence[int], share: float = SHARE
) -> NDArray[np.float64]:
    """Score of each chosen candidate against the other chosen ones.

    Args:
        distances: (P, K, P, L) of the candidates to each other.
        chosen: numbers of the candidates, at least two.
        share: share of the patches that the score is the mean of.
    """
    return np.concatenate(
        [
            scores(distances[[one]], [other for other in chosen if other != one], share)
            for one in chosen
        ]
    )
