"""The untrained network around the frozen backbone that the user chose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from moeclip_cli.checkpoints.backbones import default_tag, find_backbone, read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN_BACKBONES, DEFAULT_TOWER
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.backbones.family import Architecture
from moeclip_cli.model.backbones.table import build_backbone, infer_architecture
from moeclip_cli.model.config import (
    PAPER_BACKBONE,
    PAPER_IMAGE_SIZE,
    NetworkConfig,
    quarter_depths,
)
from moeclip_cli.model.moeclip import MoECLIP, check_image_size


@dataclass(frozen=True, eq=False)
class BackboneWeights:
    """The weights of a frozen backbone that adapters are to be trained on.

    Attributes:
        ref: reference to the backbone in the checkpoint that the training writes.
        architecture: of the weights.
        state: the weights by name.
    """

    ref: BackboneRef
    architecture: Architecture
    state: dict[str, Tensor]

    @property
    def default_layers(self) -> tuple[int, ...]:
        """The quarter depths of the vision tower."""
        return quarter_depths(self.architecture.blocks)

    @property
    def default_image_size(self) -> int:
        """The paper's image size, or the largest below it that the patches tile."""
        patch = self.architecture.patch_size
        return PAPER_IMAGE_SIZE // patch * patch


def find_training_backbone(
    name: str | None, pretrained: str | None, weights: Path | None
) -> BackboneWeights:
    """Read the backbone that the user named: an open_clip model, a built-in one or a file.

    Args:
        name: an open_clip model or a built-in backbone; with `weights` alone, inferred from them.
        pretrained: open_clip's tag; with `weights`, the tag that the file is known to be.
        weights: a local file.

    Raises:
        ModelError: if it cannot be found, fetched, read or trusted.
    """
    if weights is None:
        name = name or PAPER_BACKBONE
        if name in BUILTIN_BACKBONES:
            if pretrained is not None:
                raise ModelError(f"{name} has only one set of weights; omit `pretrained`.")
            ref = BackboneRef(name)
        else:
            ref = BackboneRef(name, pretrained or default_tag(name))
        state = read_backbone(_file_of(ref))
        known = None if name in BUILTIN_BACKBONES else name
        return BackboneWeights(ref, infer_architecture(state, known), state)
    state = read_backbone(weights)
    architecture = infer_architecture(state, name)
    called = architecture.name or weights.stem
    ref = BackboneRef(called, pretrained, None if pretrained else file_digest(weights))
    return BackboneWeights(ref, architecture, state)


def _file_of(ref: BackboneRef) -> Path:
    try:
        return find_backbone(ref, None, "the training")
    except ModelError as error:
        raise ModelError(
            f"{error} Without a network, `backbone` {DEFAULT_TOWER} is part of moeclip."
        ) from error


def build_untrained(config: NetworkConfig, weights: BackboneWeights, seed: int) -> MoECLIP:
    """Build the network with fresh adapters, on the CPU in float32, ready to be trained.

    The caller's random state is unchanged.

    Raises:
        ModelError: if the configuration does not fit the backbone.
    """
    architecture = weights.architecture
    check_image_size(config.image_size, architecture.patch_size)
    backbone = build_backbone(architecture, weights.state, quick_gelu=config.quick_gelu)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapters = Adapters(
            config, architecture.vision_width, architecture.text_width, architecture.joint_dim
        )
    return MoECLIP(config, backbone, adapters).train()
