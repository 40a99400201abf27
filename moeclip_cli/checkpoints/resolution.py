"""The configuration that a checkpoint runs with, settled before anything is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from moeclip_cli.checkpoints.backbones import PARAMETER
from moeclip_cli.checkpoints.builtin import BUILTIN_BACKBONES
from moeclip_cli.checkpoints.checkpoint import Checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.family import Architecture
from moeclip_cli.model.config import quarter_depths
from moeclip_cli.model.moeclip import check_image_size


def resolve(
    checkpoint: Checkpoint,
    architecture: Architecture,
    *,
    name: str,
    backbone: str,
    image_size: int | None = None,
    backbone_weights: Path | None = None,
) -> CheckpointConfig:
    """The checkpoint's configuration with the caller's choices, checked against the backbone.

    A `.pth` of the authors names no backbone, so its configuration assumes the paper's and its
    depth. If the caller chose a backbone file for it, both follow from that file.

    Args:
        checkpoint: the adapters.
        architecture: of the backbone.
        name: of the checkpoint in messages.
        backbone: name of the backbone in messages.
        image_size: the only side of the network input in pixels, if not the checkpoint's sizes.
        backbone_weights: the backbone file, if the caller chose it.

    Raises:
        ModelError: if the adapters were made for another backbone, or an image size does not fit.
    """
    config, network = checkpoint.config, checkpoint.config.network
    if backbone_weights is not None and checkpoint.format == "authors":
        if architecture.name != config.backbone.name:
            ref = BackboneRef(architecture.name or backbone_weights.stem)
            config = replace(config, backbone=ref)
        if checkpoint.layers_assumed:
            network = replace(network, layers=quarter_depths(architecture.blocks))
    if image_size is not None:
        network = replace(network, image_size=image_size)
        config = replace(config, scales=())
    config = replace(config, network=network)
    misfit = _misfit(checkpoint, config, architecture)
    if misfit is not None:
        raise ModelError(
            f"{name} does not fit the backbone {backbone}: {misfit}. "
            f"{_remedy(checkpoint, config, backbone_weights)}"
        )
    config.network.check_depth(architecture.blocks)
    for side in config.sizes:
        check_image_size(side, architecture.patch_size)
    return config


def _remedy(checkpoint: Checkpoint, config: CheckpointConfig, backbone_weights: Path | None) -> str:
    """What to do about adapters that do not fit a backbone."""
    if config.backbone.name in BUILTIN_BACKBONES and backbone_weights is None:
        return (
            f"It was trained on an earlier {config.backbone.name}; train it again, or give that "
            f"version's file as `{PARAMETER}`."
        )
    named = checkpoint.format == "moeclip"
    trained_on = str(config.backbone) if named else "which a .pth does not name"
    return f"Give the backbone that it was trained on, {trained_on}, as `{PARAMETER}`."


def _misfit(
    checkpoint: Checkpoint, config: CheckpointConfig, architecture: Architecture
) -> str | None:
    """The reason why adapters do not fit a backbone, or None if they do."""
    needs = (checkpoint.vision_width, checkpoint.text_width, checkpoint.joint_dim)
    has = (architecture.vision_width, architecture.text_width, architecture.joint_dim)
    if checkpoint.text_width is None:  # its text features are learned, in a dimension of their own
        if needs[0] != has[0]:
            return f"it needs vision width {needs[0]}, not {has[0]}"
    elif architecture.text_width is None:
        return "it needs a text tower, which this backbone does not have"
    elif has != needs:
        return (
            f"it needs vision width {needs[0]}, text width {needs[1]} and joint dimension "
            f"{needs[2]}, not {has[0]}, {has[1]} and {has[2]}"
        )
    last = config.network.layers[-1]
    if last > architecture.blocks:
        return f"it has an adapter after block {last} of a tower with {architecture.blocks} blocks"
    return None
