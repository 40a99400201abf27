"""A backbone, and the records that describe it: its family and the shapes of one model.

Shapes: P prefix tokens, D vision width, W text width, C joint dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from moeclip_cli.model.backbones.positions import PositionResampling
from moeclip_cli.model.backbones.towers import TextTower, VisionTower
from moeclip_cli.model.preprocessing import Preprocessing

State = Mapping[str, Tensor]
Activation = Literal["gelu", "quick_gelu"]


@dataclass(frozen=True)
class Family:
    """An entry of the table of backbones.

    Attributes:
        name: of the family, for messages.
        tensors: names that identify the family: a state dict of another family lacks at least one.
        preprocessing: resizing and normalisation that the towers expect of images.
        positions: resizing of position embeddings to another grid.
        activations: those that a checkpoint may run the towers with, the usual one first.
        licence: of the weights.
        origin: where the weights come from.
        describe: reads the architecture off a state dict. Takes the name of a published model that
            the weights are known to be, or None. Raises `ModelError` if the weights do not fit.
        build: builds the frozen towers around a state dict of that architecture.
    """

    name: str
    tensors: tuple[str, ...]
    preprocessing: Preprocessing
    positions: PositionResampling
    activations: tuple[Activation, ...]
    licence: str
    origin: str
    describe: Callable[[State, str | None], Architecture]
    build: Callable[[Architecture, State, Activation], Backbone]

    def recognises(self, state: State) -> bool:
        """True if the state dict has all tensors that identify the family."""
        return all(name in state for name in self.tensors)


@dataclass(frozen=True)
class Architecture:
    """The shapes of one backbone.

    Attributes:
        family: entry of the table that the backbone belongs to.
        name: the published model that has these shapes, or None.
        vision_width: D.
        blocks: number of blocks of the vision tower.
        patch_size: side of a patch in pixels.
        prefix_tokens: P, the tokens before the patches: class token and registers.
        text_width: W, or None for a vision tower without a text tower.
        joint_dim: C, in which patches and text are compared.
        details: the family's own data for `Family.build`.
    """

    family: Family
    name: str | None
    vision_width: int
    blocks: int
    patch_size: int
    prefix_tokens: int
    text_width: int | None
    joint_dim: int
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Backbone(nn.Module):
    """The towers under the adapters, frozen and in evaluation mode.

    Args:
        vision: the vision tower.
        text: the text tower, or None where text features come from elsewhere.
        architecture: shapes and family of the towers.
    """

    def __init__(
        self, vision: VisionTower, text: TextTower | None, architecture: Architecture
    ) -> None:
        super().__init__()
        self.vision = vision
        self.text = text
        self.architecture = architecture
        self.requires_grad_(False)
        self.eval()
