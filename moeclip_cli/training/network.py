"""The untrained network around the frozen CLIP that a user chose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from moeclip_cli.checkpoints.backbones import default_tag, find_backbone, read_backbone
from moeclip_cli.checkpoints.builtin import BUILTIN
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import ModelError
from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.architecture import Architecture, infer_architecture
from moeclip_cli.model.backbone import build_backbone
from moeclip_cli.model.config import NetworkConfig, quarter_depths
from moeclip_cli.model.moeclip import MoECLIP, check_image_size

PAPER_IMAGE_SIZE = 518


@dataclass(frozen=True, eq=False)
class FoundBackbone:
    """A frozen CLIP that adapters are to be trained on.

    Attributes:
        ref: how the checkpoint will name it.
        architecture: what its weights belong to.
        state: its weights.
    """

    ref: BackboneRef
    architecture: Architecture
    state: dict[str, Tensor]

    @property
    def default_layers(self) -> tuple[int, ...]:
        """The quarter depths of its vision tower."""
        return quarter_depths(self.architecture.config["vision_cfg"]["layers"])

    @property
    def default_image_size(self) -> int:
        """The paper's, or the largest below it that its patches tile."""
        patch: int = self.architecture.config["vision_cfg"]["patch_size"]
        return PAPER_IMAGE_SIZE // patch * patch


def find_training_backbone(
    name: str | None, pretrained: str | None, weights: Path | None
) -> FoundBackbone:
    """The CLIP that the user named: an open_clip model, a built-in one or a file.

    Args:
        name: an open_clip model or a built-in backbone; with `weights` alone, inferred from them.
        pretrained: open_clip's tag; with `weights`, the tag that the file is known to be.
        weights: a local file.

    Raises:
        ModelError: if it cannot be found, fetched, read or trusted.
    """
    if weights is None:
        name = name or "ViT-L-14-336"
        if name in BUILTIN:
            if pretrained is not None:
                raise ModelError(f"{name} has one set of weights; leave out --pretrained.")
            ref = BackboneRef(name)
        else:
            ref = BackboneRef(name, pretrained or default_tag(name))
        state = read_backbone(find_backbone(ref, None, "the training"))
        known = None if name in BUILTIN else name
        return FoundBackbone(ref, infer_architecture(state, known), state)
    state = read_backbone(weights)
    architecture = infer_architecture(state, name)
    called = architecture.name or weights.stem
    ref = BackboneRef(called, pretrained, None if pretrained else file_digest(weights))
    return FoundBackbone(ref, architecture, state)


def build_untrained(config: NetworkConfig, found: FoundBackbone, seed: int) -> MoECLIP:
    """The network with fresh adapters, on the CPU in float32, ready to be trained.

    The caller's random numbers are left as they were.

    Raises:
        ModelError: if the configuration does not fit the backbone.
    """
    patch = found.architecture.config["vision_cfg"]["patch_size"]
    check_image_size(config.image_size, patch)
    backbone = build_backbone(found.architecture, found.state, quick_gelu=config.quick_gelu)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapters = Adapters(config, backbone.vision_width, backbone.text_width, backbone.joint_dim)
    return MoECLIP(config, backbone, adapters).train()
