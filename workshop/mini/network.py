"""A fresh network of the built-in model's shape, with random or earlier weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mini.recipe import Recipe
from moeclip_cli.checkpoints.backbones import read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.errors import UsageError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.mini import untrained
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.config import NetworkConfig, quarter_depths
from moeclip_cli.model.moeclip import MoECLIP

# Far from 0, where the adapter divides by the length of the experts' output.
_EXPERT_DEVIATION = 0.02


def fresh_network(recipe: Recipe) -> MoECLIP:
    """Create the untrained network; only parameters that the loss reaches require gradients."""
    torch.manual_seed(recipe.seed)
    backbone = untrained(
        image_size=recipe.image_size,
        width=recipe.width,
        blocks=recipe.blocks,
        text_width=recipe.text_width,
        text_blocks=recipe.text_blocks,
    )
    config = NetworkConfig(
        layers=quarter_depths(recipe.blocks),
        dropout=0.0,
        mix=NetworkConfig.mix if recipe.experts else 0.0,
        fofs=recipe.fofs,
        aggregation=recipe.aggregation,
        image_size=recipe.image_size,
    )
    adapters = Adapters(config, recipe.width, recipe.text_width, recipe.text_width)
    for name, parameter in adapters.named_parameters():
        if name.endswith(".lora_b"):
            nn.init.normal_(parameter, std=_EXPERT_DEVIATION)
    backbone.vision.requires_grad_(True)
    return MoECLIP(config, backbone, adapters)


def load_weights(network: MoECLIP, folder: Path) -> dict[str, Any]:
    """Load the weights of an earlier built-in model into a fresh network with a folded text side.

    Returns:
        The record of the earlier model's training, from its configuration.

    Raises:
        ModelError: if `folder` has no such model, or a corrupt one.
        UsageError: if it is of another shape.
    """
    files = BUILTIN["moeclip-mini"]
    checkpoint = read_checkpoint(folder / files.checkpoint)
    state = read_backbone(folder / files.backbone)
    earlier = build_backbone(infer_architecture(state), state, quick_gelu=False)
    towers = earlier.state_dict()
    # The earlier model may have been made for images of another size.
    grid = network.config.image_size // earlier.architecture.patch_size
    towers["vision.positional_embedding"] = earlier.vision.resized_positions(grid, grid)
    try:
        network.backbone.load_state_dict(towers)
        network.adapters.load_state_dict(checkpoint.tensors)
    except RuntimeError as error:
        raise UsageError(f"The model in {folder} does not have the shape of the recipe.") from error
    return checkpoint.config.training
