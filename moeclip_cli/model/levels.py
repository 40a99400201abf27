"""Tokens of a vision tower after some of its blocks.

Shapes: B images, L patches, D vision width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from moeclip_cli.model.backbones.family import Backbone
from moeclip_cli.model.experts import Routing


class Levels(NamedTuple):
    """Tokens of a batch of images.

    Attributes:
        tokens: patch tokens (B, L, D) of each level, without the prefix, row by row; those of the
            tower itself if it stays frozen (`NetworkConfig.adapted_tower`).
        routing: the router's decisions for all tokens, one per adapter; none yet if the tower stays
            frozen.
        grid: rows and columns of the patches, whose product is L.
        detail: tokens (B, L, E) of the second tower, if the network has one.
    """

    tokens: list[Tensor]
    routing: tuple[Routing, ...]
    grid: tuple[int, int]
    detail: Tensor | None = None


def tower_levels(
    backbone: Backbone,
    layers: Sequence[int],
    images: Tensor,
    adapters: Mapping[int, nn.Module] = MappingProxyType({}),
) -> Levels:
    """Tokens of each level of a vision tower.

    Args:
        backbone: its vision tower is used.
        layers: blocks whose outputs are the levels, ascending.
        images: (B, 3, H, W) normalised.
        adapters: `MoEAdapter`s by the block that they follow; the next block reads their output.
    """
    vision = backbone.vision
    x = vision.embed(images.to(vision.dtype))
    levels, routing = [], []
    for number, block in enumerate(vision.blocks[: layers[-1]], start=1):
        x = block(x)
        if number in adapters:
            x, decided = adapters[number](x)
            routing.append(decided)
        if number in layers:
            levels.append(vision.patches(x))
    return Levels(levels, tuple(routing), grid_of(images, backbone))


def grid_of(images: Tensor, backbone: Backbone) -> tuple[int, int]:
    """Rows and columns of the patches of network inputs (B, 3, H, W)."""
    height, width = images.shape[-2:]
    patch_size = backbone.architecture.patch_size
    return height // patch_size, width // patch_size
