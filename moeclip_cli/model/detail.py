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
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from moeclip_cli.model.backbones.clip import CLIP, ClipVision
from moeclip_cli.model.backbones.stem import ConvStem
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.preprocessing import Preprocessing

_WIDTH, _BLOCKS, _HEADS, _JOINT_DIM = 128, 8, 2, 64
# Side in pixels that the position embeddings are for.
_POSITIONS_SIDE = 448
# Without FOFS, whose matrices would be computed only to be replaced by those of the checkpoint.
_ADAPTED = NetworkConfig(layers=(2, 4, 6, 8), dropout=0.0, fofs=False)
# Blocks whose tokens are used.
_LEVELS = (4, 8)
# Sides of its input as fractions of the backbone's: 512 and 320 pixels at 448.
_SCALES = (8 / 7, 5 / 7)
_MIN_GRID = 3


class DetailTower(nn.Module):
    """The tower, frozen, with adapters of its own.

    The sizes of its parts are fixed; its state dict has

        vision.*             a CLIP vision tower with a `ConvStem`
        moe.{i}.*            the adapters after blocks 2, 4, 6 and 8
        mean, deviation      (E,) of its tokens over many images

    Attributes:
        TOKEN_WIDTH: E, the features of a token: two levels at two sizes.
    """

    TOKEN_WIDTH = len(_LEVELS) * len(_SCALES) * _WIDTH

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        visual = VisionTransformer(
            _POSITIONS_SIDE, ConvStem.STRIDE, _WIDTH, _BLOCKS, _HEADS, 4.0, output_dim=_JOINT_DIM
        )
        visual.conv1 = ConvStem(_WIDTH)
        self.vision = ClipVision(visual, CLIP.positions)
        self.moe = nn.ModuleList(MoEAdapter(_ADAPTED, _WIDTH) for _ in _ADAPTED.layers)
        self.register_buffer("mean", torch.zeros(self.TOKEN_WIDTH))
        self.register_buffer("deviation", torch.ones(self.TOKEN_WIDTH))
        self.requires_grad_(False)

    def forward(self, images: Tensor, preprocessing: Preprocessing, grid: int) -> Tensor:
        """Standardised tokens (B, g * g, E).

        Args:
            images: (B, 3, S, S) normalised for the backbone.
            preprocessing: of the backbone.
            grid: g.
        """
        return self.joined(self.tokens(images, preprocessing), grid)

    def tokens(self, images: Tensor, preprocessing: Preprocessing) -> list[Tensor]:
        """Tokens (B, h * h, E / 2) at each of the two sizes; see `forward`."""
        own = _renormalised(images, preprocessing, CLIP.preprocessing)
        return [self._levels(_resized(own, scale)) for scale in _SCALES]

    def joined(self, tokens: Sequence[Tensor], grid: int) -> Tensor:
        """Standardised tokens (B, g * g, E) of those of both sizes."""
        return self.standardised(torch.cat([on_grid(part, grid) for part in tokens], dim=-1))

    def standardised(self, tokens: Tensor) -> Tensor:
        """Tokens (..., E) with mean 0 and deviation 1 over many images."""
        return (tokens - self.mean) / self.deviation

    def _levels(self, images: Tensor) -> Tensor:
        """Tokens (B, h * h, E / 2) of normalised images of this tower."""
        adapters = dict(zip(_ADAPTED.layers, self.moe, strict=True))
        x = self.vision.embed(images.to(self.vision.dtype))
        levels = []
        for number, block in enumerate(self.vision.blocks, start=1):
            x = block(x)
            if number in adapters:
                x, _ = adapters[number](x)
            if number in _LEVELS:
                levels.append(self.vision.patches(x))
        return torch.cat(levels, dim=-1)


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


def _resized(images: Tensor, scale: float) -> Tensor:
    grid = max(_MIN_GRID, round(images.shape[-1] * scale / ConvStem.STRIDE))
    side = grid * ConvStem.STRIDE
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
