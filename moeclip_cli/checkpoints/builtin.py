"""The models that are part of moeclip, and where their files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.errors import ModelError

_PACKAGE = Path(__file__).resolve().parents[1]
# Inside the package once installed, beside it in a checkout.
FOLDERS = (_PACKAGE / "weights", _PACKAGE.parent / "weights")


@dataclass(frozen=True)
class BuiltinModel:
    """A model whose files are part of moeclip.

    Attributes:
        name: of the model and of its backbone.
        checkpoint: file of the adapters.
        backbone: file of the backbone.
    """

    name: str
    checkpoint: str
    backbone: str


BUILTIN = {
    model.name: model
    for model in (
        BuiltinModel(
            "moeclip-mini", "moeclip-mini.safetensors", "moeclip-mini-backbone.safetensors"
        ),
    )
}
DEFAULT_MODEL = "moeclip-mini"

BUILTIN_TOWERS = {"dinov2-vits14": "dinov2-vits14.safetensors"}
"""Files of the vision towers that are part of moeclip, for scoring with references."""
DEFAULT_TOWER = "dinov2-vits14"

BUILTIN_BACKBONES = {model.name: model.backbone for model in BUILTIN.values()} | BUILTIN_TOWERS
"""Files of the backbones that are part of moeclip, which adapters can be trained on."""


def builtin_file(name: str) -> Path:
    """The path of a file of a built-in model.

    Raises:
        ModelError: if the installation lacks it.
    """
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"This installation of moeclip lacks {name}; reinstall moeclip.")
