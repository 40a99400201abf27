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
        name: of the model.
        checkpoint: file of the adapters.
        backbone: file of the backbone.
        second: file of the second tower's backbone, if there is one.
    """

    name: str
    checkpoint: str
    backbone: str
    second: str | None = None

    @property
    def files(self) -> list[str]:
        """All files."""
        return [self.checkpoint, self.backbone, *([self.second] if self.second else [])]


_DINOV2, _MINI = "dinov2-vits14.safetensors", "moeclip-mini-backbone.safetensors"

BUILTIN = {
    model.name: model
    for model in (
        BuiltinModel("moeclip-small", "moeclip-small.safetensors", _DINOV2, _MINI),
        BuiltinModel("moeclip-mini", "moeclip-mini.safetensors", _MINI),
    )
}
DEFAULT_MODEL = "moeclip-mini"

BUILTIN_TOWERS = {"dinov2-vits14": _DINOV2}
"""Files of the vision towers that are part of moeclip, for scoring with references."""
DEFAULT_TOWER = "dinov2-vits14"

BUILTIN_BACKBONES = {"moeclip-mini": _MINI} | BUILTIN_TOWERS
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
