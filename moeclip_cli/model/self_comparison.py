"""How unlike the rest of its own image each patch is, in the features of a frozen level.

Anomalies are rare: a scratch has no second scratch like it, a thread of the fabric has hundreds
like it. The image itself is enough to tell, so this works on unseen products. Not part of the
paper: MuSc and AnomalyDINO compare patches like this between images.

Shapes: B images, L patches, D width, K distances.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.model.finite import unit_vectors
from moeclip_cli.model.largest import largest, lower_diagonal
from moeclip_cli.model.precision import without_autocast

# The distances to these neighbours, nearest first.
_RANKS = (1, 2, 4, 8)
# One patch in so many is a rank too, so that a large defect does not match itself.
_SHARES = (32, 8)
# Shares of the mean over the image that are taken off before comparing.
_CENTRED = (0.0, 0.5)
_EPS = 1e-3

DISTANCES = 2 * len(_CENTRED) * (len(_RANKS) + len(_SHARES) + 1)
"""Number K of distances of a patch in one level."""


class SelfComparison(nn.Module):
    """A learned function of each patch's distances, added to its token.

    The last layer is initialised to zero and changes nothing at first.

    Args:
        width: D.

    Attributes:
        mean: (D,) of the features over many images; frozen.
        deviation: (D,) of the features over many images; frozen.
    """

    HIDDEN = 64

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.hidden = nn.Linear(DISTANCES, self.HIDDEN)
        self.out = nn.Linear(self.HIDDEN, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Additions (B, L, D) to the tokens (B, L, D) of a frozen level, without the prefix."""
        return self.added(self_distances((tokens.float() - self.mean) / self.deviation))

    def added(self, distances: Tensor) -> Tensor:
        """Additions (B, L, D) to tokens with distances (B, L, K), see `self_distances`."""
        added: Tensor = self.out(F.gelu(self.hidden(distances.to(self.out.weight.dtype))))
        return added


@torch.no_grad()
def self_distances(tokens: Tensor) -> Tensor:
    """Distances (B, L, K) of patches to the others of their image, in float32.

    Cosine distances to the nearest patches, to two farther away, and to all on average; each as it
    is and in deviations from its mean over the image. Once for the features as they are and once
    with half of their mean over the image taken off, which leaves out a part of what all patches
    share.

    Args:
        tokens: (B, L, D) standardised features; at least 9 patches.
    """
    with without_autocast(tokens.device):
        mean = tokens.mean(dim=1, keepdim=True)
        return torch.cat([_distances(tokens - share * mean) for share in _CENTRED], dim=-1)


def _distances(vectors: Tensor) -> Tensor:
    directions = unit_vectors(vectors)
    similar = directions @ directions.transpose(1, 2)
    mean = similar.mean(-1, keepdim=True)
    # Below any cosine, so that no patch is its own neighbour.
    similar = lower_diagonal(similar, 2.5)
    patches = similar.shape[-1]
    ranks = [*_RANKS, *(max(_RANKS[-1], patches // share) for share in _SHARES)]
    # Finding so many is faster than sorting them all.
    top = largest(similar, ranks[-1]).sort(dim=-1, descending=True).values
    found = 1 - torch.cat([top[..., [rank - 1 for rank in ranks]], mean], dim=-1)
    centred = found - found.mean(1, keepdim=True)
    return torch.cat([found, centred / (found.std(1, keepdim=True) + _EPS)], dim=-1)
