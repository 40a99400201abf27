"""A small second vision tower, for detail that a tower trained on photographs does not see.

A tower that was trained on photographs knows objects well, and faint scratches in a texture badly.
This one has a convolutional stem with instance normalisation (see `backbones/stem.py`), was trained
on generated defects, and sees the same image at two sizes. Its tokens stand beside those of every
level of a frozen backbone. Not part of the paper.

Shapes: B images, S side in pixels, g * g patches of the backbone's tower, h * h of this one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.levels import tower_levels
from moeclip_cli.model.preprocessing import Preprocessing

# Without FOFS, whose matrices would be computed only to be replaced by those of the checkpoint.
_ADAPTED = NetworkConfig(layers=(2, 4, 6, 8), dropout=0.0, fofs=False)
# Blocks whose tokens are used.
_LEVELS = (4, 8)
# Sides of its input as fractions of the backbone's: 512 and 320 pixels at 448.
_SCALES = (8 / 7, 5 / 7)
_MIN_GRID = 3


class Detail(nn.Module):
    """The adapters in the second tower, and the statistics of its tokens; all frozen.

    The tower itself is a built-in backbone, see `CheckpointConfig.detail`.

    Attributes:
        VISION_WIDTH: width of the tower.
        TOKEN_WIDTH: E, the features of a token: two levels at two sizes.
        mean: (E,) of the tokens over many images.
        deviation: (E,) of the tokens over many images.
    """

    VISION_WIDTH = 128
    TOKEN_WIDTH = len(_LEVELS) * len(_SCALES) * VISION_WIDTH

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.moe = nn.ModuleList(MoEAdapter(_ADAPTED, self.VISION_WIDTH) for _ in _ADAPTED.layers)
        self.register_buffer("mean", torch.zeros(self.TOKEN_WIDTH))
        self.register_buffer("deviation", torch.ones(self.TOKEN_WIDTH))
        self.requires_grad_(False)

    def forward(
        self, backbone: Backbone, images: Tensor, preprocessing: Preprocessing, grid: int
    ) -> Tensor:
        """Standardised tokens (B, g * g, E).

        Args:
            backbone: whose vision tower is the second one.
            images: (B, 3, S, S) normalised for the first one.
            preprocessing: of the first one.
            grid: g.
        """
        return self.joined(self.tokens(backbone, images, preprocessing), grid)

    def tokens(
        self, backbone: Backbone, images: Tensor, preprocessing: Preprocessing
    ) -> list[Tensor]:
        """Tokens (B, h * h, E / 2) at each of the two sizes; see `forward`."""
        own = _renormalised(images, preprocessing, backbone.architecture.family.preprocessing)
        stride = backbone.architecture.patch_size
        return [self._levels(backbone, _resized(own, scale, stride)) for scale in _SCALES]

    def joined(self, tokens: Sequence[Tensor], grid: int) -> Tensor:
        """Standardised tokens (B, g * g, E) of those of both sizes."""
        return self.standardised(torch.cat([on_grid(part, grid) for part in tokens], dim=-1))

    def standardised(self, tokens: Tensor) -> Tensor:
        """Tokens (..., E) with mean 0 and deviation 1 over many images."""
        return (tokens - self.mean) / self.deviation

    def _levels(self, backbone: Backbone, images: Tensor) -> Tensor:
        """Tokens (B, h * h, E / 2) of images normalised for the tower."""
        adapters = dict(zip(_ADAPTED.layers, self.moe, strict=True))
        return torch.cat(tower_levels(backbone, _LEVELS, images, adapters).tokens, dim=-1)


def check_detail(backbone: Backbone | None, wanted: bool) -> None:
    """Refuse a second tower that is missing, not wanted or of another shape.

    Raises:
        ModelError: if it is.
    """
    if (backbone is not None) != wanted:
        state = "needs" if wanted else "does not have"
        raise ModelError(f"The network {state} a second tower; change `detail`.")
    if backbone is None:
        return
    shape = backbone.architecture
    if (shape.vision_width, shape.blocks) != (Detail.VISION_WIDTH, _ADAPTED.layers[-1]):
        raise ModelError(
            f"The second tower must have width {Detail.VISION_WIDTH} and {_ADAPTED.layers[-1]} "
            f"blocks, not {shape.vision_width} and {shape.blocks}; change `detail`."
        )


def on_grid(tokens: Tensor, grid: int) -> Tensor:
    """Tokens (B, h * h, D) resized to g x g patches, (B, g * g, D)."""
    side = math.isqrt(tokens.shape[1])
    if side == grid:
        return tokens
    rows = tokens.transpose(1, 2).unflatten(2, (side, side)).float()
    rows = F.interpolate(rows, (grid, grid), mode="bilinear", align_corners=False)
    return rows.flatten(2).transpose(1, 2).to(tokens.dtype)


def _renormalised(images: Tensor, old: Preprocessing, new: Preprocessing) -> Tensor:
    """Images (B, 3, S, S) with other means and deviations of the channels."""
    mean, std, new_mean, new_std = (
        torch.tensor(values, device=images.device, dtype=images.dtype).view(3, 1, 1)
        for values in (old.mean, old.std, new.mean, new.std)
    )
    return images * (std / new_std) + (mean - new_mean) / new_std


def _resized(images: Tensor, scale: float, stride: int) -> Tensor:
    side = stride * max(_MIN_GRID, round(images.shape[-1] * scale / stride))
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
