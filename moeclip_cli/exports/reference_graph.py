"""The comparison with references as a module of tensors, ready to be exported.

It computes what `PatchBank.distances` and `score_distances` do, for any number of patches.

Shapes: B images, L patches of an image, N patches in the bank, D width of a level, H and W height
and width of the network input in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from moeclip_cli.exports.graph import ScoreGraph
from moeclip_cli.inspection.network_input import LeveledNetwork
from moeclip_cli.model.bank import SHARE, PatchBank, units
from moeclip_cli.model.config import Domain
from moeclip_cli.model.scoring import distance_maps

# Patches of the bank that are compared at a time: similarities of an image with 1,024 patches take
# 16 MB.
_ROWS = 4096


class ReferenceGraph(nn.Module):
    """Network inputs to scores by the distance to references.

    Args:
        network: in evaluation mode.
        bank: the patches of the references, on the CPU.
        domain: determines the blur.
        zero_shot: gives the zero-shot score too; None for a network without adapters.
    """

    owners: Tensor

    def __init__(
        self, network: LeveledNetwork, bank: PatchBank, domain: Domain, zero_shot: ScoreGraph | None
    ) -> None:
        super().__init__()
        self.network = network
        self.domain: Domain = domain
        self.zero_shot = zero_shot
        # In float32, as a runtime may compute more coarsely with half precision.
        for number, level in enumerate(bank.levels):
            self.register_buffer(f"level_{number}", level.float())
        self.register_buffer("owners", bank.owners)

    def forward(
        self, images: Sequence[Tensor], left_out: Tensor, prompt: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Score images.

        Args:
            images: normalised (B, 3, H, W), one for each size of the network input.
            left_out: (B,) int64, number of the reference that each image is not compared with; -1
                for none.
            prompt: as for `ScoreGraph`.

        Returns:
            `exports.graph.OUTPUTS`, and the zero-shot score (B,) if there is one.
        """
        levels = self.network.levels(images[0])
        distances = self._distances(levels.tokens, left_out)
        size = images[0].shape[-2], images[0].shape[-1]
        maps = distance_maps(distances, levels.grid, size, self.domain)
        score = _largest_mean(distances)
        # The numbers by which a map and an image are judged are those of the distances themselves.
        found = (score, maps, distances.amax(dim=1), score, torch.zeros_like(score), maps)
        if self.zero_shot is None:
            return found
        return (*found, self.zero_shot.of_levels(levels, images, prompt)[0])

    def _distances(self, tokens: Sequence[Tensor], left_out: Tensor) -> Tensor:
        """See `PatchBank.distances`, (B, L)."""
        nearest = []
        for number, patches in enumerate(tokens):
            seen = units(patches).float()
            blocks = zip(
                self.get_buffer(f"level_{number}").split(_ROWS),
                self.owners.split(_ROWS),
                strict=True,
            )
            found = [
                (seen @ block.T).masked_fill(left_out[:, None, None] == owners, -1.0).amax(dim=-1)
                for block, owners in blocks
            ]
            nearest.append(torch.stack(found).amax(dim=0))
        return (1 - torch.stack(nearest)).mean(dim=0).clamp(0, 1)


def _largest_mean(distances: Tensor) -> Tensor:
    """See `image_score`, whose number of patches would become a constant of the graph."""
    length = distances.shape[1]
    count = (torch.full((), length, dtype=torch.float64) * SHARE).round().clamp(min=1).float()
    ordered = distances.sort(dim=1, descending=True).values
    return (ordered * (torch.arange(length) < count)).sum(dim=1) / count
