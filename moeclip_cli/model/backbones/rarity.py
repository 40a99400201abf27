"""A learned feature of each patch: its dissimilarity from the rest of the same image.

Anomalies are rare: a scratch has no second scratch like it, a thread of the fabric has hundreds
like it. The image itself is enough to tell, so this works on unseen products. Each patch gets a few
short descriptors; its distances to the most similar other patches, and to all of them, measure how
rare it is. The descriptors are learned through those distances, so that harmless variation is left
out of them.

Layout of the state dict:

    fine.{weight,bias}      (3 * 24, C, 2, 2), (3 * 24,)
    coarse.{weight,bias}    (3 * 24, P, 1, 1), (3 * 24,)
    hidden.{weight,bias}    (64, 72), (64,)
    out.{weight,bias}       (D, 64), (D,)

Shapes: B images, L = g * g patches, H descriptors of a patch, K its distances.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.model.finite import unit_vectors
from moeclip_cli.model.largest import largest, lower_diagonal
from moeclip_cli.model.precision import without_autocast

_EPS = 1e-3


class Rarity(nn.Module):
    """From two feature maps to an addition to the tokens (B, D, g, g).

    Args:
        channels: C, of the map with two cells per patch and side.
        pooled: P, of the map with one cell per patch.
        width: D.
    """

    HEADS = 6
    LENGTH = 24
    HIDDEN = 64
    RANKS = (1, 2, 4, 8)

    # One patch in so many is a rank too, so that a large defect does not match itself.
    _SHARE = 8

    def __init__(self, channels: int, pooled: int, width: int) -> None:
        super().__init__()
        half = self.HEADS // 2 * self.LENGTH
        self.fine = nn.Conv2d(channels, half, 2, stride=2)
        self.coarse = nn.Conv2d(pooled, half, 1)
        self.hidden = nn.Linear(self.HEADS * (len(self.RANKS) + 2) * 2, self.HIDDEN)
        self.out = nn.Linear(self.HIDDEN, width)

    def forward(self, features: Tensor, pooled: Tensor) -> Tensor:
        """Features (B, C, 2g, 2g) and (B, P, g, g) to (B, D, g, g); needs at least 9 patches."""
        described = torch.cat([self.fine(features), self.coarse(pooled)], dim=1)
        batch, _, rows, columns = described.shape
        descriptors = described.view(batch, self.HEADS, self.LENGTH, rows * columns)
        # Half precision loses the small differences between neighbours of one texture.
        with without_autocast(described.device):
            distances = self._distances(descriptors.transpose(2, 3).float())
        rare = self.out(F.gelu(self.hidden(distances.to(described.dtype))))
        return rare.transpose(1, 2).reshape(batch, -1, rows, columns)

    def _distances(self, descriptors: Tensor) -> Tensor:
        """Descriptors (B, H, L, LENGTH) to their distances (B, L, H * K * 2).

        Each distance is given as it is and in standard deviations from its mean over the image.
        """
        directions = unit_vectors(descriptors)
        patches = directions.shape[2]
        similar = directions @ directions.transpose(2, 3)
        # Below any cosine, so that no patch is its own neighbour.
        similar = lower_diagonal(similar, 2)
        most = max(self.RANKS[-1], patches // self._SHARE)
        mean = similar.mean(-1, keepdim=True)
        # Finding so many is faster than sorting them, and only the first ranks are needed.
        top = largest(similar, most)
        first = top.topk(self.RANKS[-1], dim=-1).values[..., [rank - 1 for rank in self.RANKS]]
        last = top.amin(-1, keepdim=True)
        distances = 1 - torch.cat([first, last, mean], dim=-1)
        centred = distances - distances.mean(2, keepdim=True)
        relative = centred / (distances.std(2, keepdim=True) + _EPS)
        return torch.cat([distances, relative], dim=-1).transpose(1, 2).flatten(2)
