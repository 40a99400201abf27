"""Position embeddings for a grid of patches other than the trained one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moeclip_cli.model.preprocessing import Interpolation


@dataclass(frozen=True)
class PositionResampling:
    """The resizing of a family's position embeddings.

    Attributes:
        interpolation: filter over the grid of patches.
        antialias: widen the filter when the grid shrinks.
    """

    interpolation: Interpolation = "bicubic"
    antialias: bool = True


def resize_positions(
    positions: Tensor, grid: tuple[int, int], prefix_tokens: int, resampling: PositionResampling
) -> Tensor:
    """Resize position embeddings to another grid of patches.

    Args:
        positions: (P + n * n, D), the prefix tokens first, then those of a square.
        grid: new numbers of rows and columns of patches.
        prefix_tokens: P; their positions are kept.
        resampling: how the family resizes.

    Returns:
        (P + rows * columns, D); `positions` itself if the grid is the same.
    """
    prefix, patches = positions[:prefix_tokens], positions[prefix_tokens:]
    own = round(patches.shape[0] ** 0.5)
    if grid == (own, own):
        return positions
    plane = patches.float().reshape(1, own, own, -1).permute(0, 3, 1, 2)
    plane = F.interpolate(
        plane,
        size=grid,
        mode=resampling.interpolation,
        antialias=resampling.antialias,
        align_corners=False,
    )
    resized = plane.permute(0, 2, 3, 1).flatten(0, 2).to(positions.dtype)
    return torch.cat([prefix, resized])
