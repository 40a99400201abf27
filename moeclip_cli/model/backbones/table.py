"""The table of backbones: recognises weights by their tensors and names their builder."""

from __future__ import annotations

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.model.backbones.dinov2 import DINOV2
from moeclip_cli.model.backbones.family import Activation, Architecture, Backbone, Family, State
from moeclip_cli.model.backbones.mini import MINI

FAMILIES: tuple[Family, ...] = (CLIP, MINI, DINOV2)


def recognise(state: State) -> Family:
    """The family that a state dict belongs to.

    Raises:
        ModelError: if it belongs to none.
    """
    for family in FAMILIES:
        if family.recognises(state):
            return family
    known = ", ".join(family.name for family in FAMILIES)
    raise ModelError(f"These weights are not those of a supported backbone ({known}).")


def infer_architecture(state: State, name: str | None = None) -> Architecture:
    """Read the architecture off the weights of a backbone.

    Args:
        state: tensors by name.
        name: the published model that the weights are known to belong to.

    Raises:
        ModelError: if the weights belong to no family, or not to the model `name`.
    """
    return recognise(state).describe(state, name)


def build_backbone(architecture: Architecture, state: State, *, quick_gelu: bool) -> Backbone:
    """Build the towers around `state`, frozen, in evaluation mode and float32, on the CPU.

    Args:
        architecture: of the weights.
        state: tensors by name, in any floating-point type.
        quick_gelu: QuickGELU instead of exact GELU in all towers.

    Raises:
        ModelError: if the weights do not fit the architecture or the family has no such activation.
    """
    family = architecture.family
    activation: Activation = "quick_gelu" if quick_gelu else "gelu"
    if activation not in family.activations:
        raise ModelError(
            f"The backbone {family.name} runs with {family.activations[0]} only; "
            f"set `quick_gelu` to {not quick_gelu}."
        )
    return family.build(architecture, state, activation)
