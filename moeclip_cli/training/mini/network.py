"""A fresh small CLIP with MoECLIP's adapters, and its way to open_clip's names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from moeclip_cli.checkpoints.backbones import read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.errors import UsageError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.architecture import infer_architecture
from moeclip_cli.model.backbone import Backbone, build_backbone, resize_positions
from moeclip_cli.model.config import NetworkConfig, quarter_depths
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.model.stem import ConvStem
from moeclip_cli.training.mini.recipe import Recipe

_HEAD_WIDTH = 64
_MIX = 0.1
_POSITIONS = "visual.positional_embedding"
_UNUSED = ("visual.proj", "text_projection", "logit_scale", "attn_mask")
# Far from 0, where the adapter divides by the length of the experts' output.
_EXPERT_DEVIATION = 0.02


def fresh_network(recipe: Recipe) -> MoECLIP:
    """The untrained network; only what the loss reaches requires gradients."""
    torch.manual_seed(recipe.seed)
    backbone = _fresh_backbone(recipe)
    config = NetworkConfig(
        layers=quarter_depths(recipe.blocks),
        dropout=0.0,
        mix=_MIX if recipe.experts else 0.0,
        fofs=recipe.fofs,
        aggregation=recipe.aggregation,
        image_size=recipe.image_size,
    )
    adapters = Adapters(config, recipe.width, recipe.text_width, recipe.text_width)
    for name, parameter in adapters.named_parameters():
        if name.endswith(".lora_b"):
            nn.init.normal_(parameter, std=_EXPERT_DEVIATION)
    backbone.visual.requires_grad_(True)
    return MoECLIP(config, backbone, adapters)


def _fresh_backbone(recipe: Recipe) -> Backbone:
    vision: dict[str, Any] = {
        "image_size": recipe.image_size,
        "layers": recipe.blocks,
        "width": recipe.width,
        "patch_size": ConvStem.STRIDE,
        "head_width": _HEAD_WIDTH,
    }
    text: dict[str, Any] = {
        "width": recipe.text_width,
        "heads": max(1, recipe.text_width // _HEAD_WIDTH),
        "layers": recipe.text_blocks,
    }
    clip = open_clip.CLIP(recipe.text_width, vision, text)
    clip.visual.conv1 = ConvStem(recipe.width)
    state = {name: value for name, value in clip.state_dict().items() if name not in _UNUSED}
    return build_backbone(infer_architecture(state), state, quick_gelu=False)


def load_weights(network: MoECLIP, folder: Path) -> dict[str, Any]:
    """Give a fresh network the weights of an earlier built-in model.

    Returns:
        How the earlier model was trained, as its configuration tells.

    Raises:
        ModelError: if `folder` has no such model, or a damaged one.
        UsageError: if it is of another shape.
    """
    files = BUILTIN["moeclip-mini"]
    checkpoint = read_checkpoint(folder / files.checkpoint)
    state = read_backbone(folder / files.backbone)
    towers = build_backbone(infer_architecture(state), state, quick_gelu=False).state_dict()
    # The earlier model may have been made for images of another size.
    towers[_POSITIONS] = resize_positions(
        towers[_POSITIONS], network.config.image_size // ConvStem.STRIDE
    )
    try:
        network.backbone.load_state_dict(towers)
        network.adapters.load_state_dict(checkpoint.tensors)
    except RuntimeError as error:
        raise UsageError(f"The model in {folder} is not of the recipe's shape.") from error
    return checkpoint.config.training


def open_clip_state(backbone: Backbone) -> dict[str, Tensor]:
    """The backbone's tensors by open_clip's names, half precision, ready to be saved."""
    state: dict[str, Tensor] = {}
    for name, value in backbone.state_dict().items():
        name = name.replace("visual.blocks.", "visual.transformer.resblocks.")
        name = name.replace("text.blocks.", "transformer.resblocks.")
        state[name.removeprefix("text.")] = value.detach().half()
    return state
