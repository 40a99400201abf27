"""The models that come with moeclip: which there are and where their files lie."""

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
        name: what `--model` and a checkpoint's configuration call it and its backbone.
        checkpoint: file of the adapters.
        backbone: file of the CLIP towers.
        summary: one line for lists.
    """

    name: str
    checkpoint: str
    backbone: str
    summary: str


BUILTIN = {
    model.name: model
    for model in (
        BuiltinModel(
            "moeclip-mini",
            "moeclip-mini.safetensors",
            "moeclip-mini-backbone.safetensors",
            "small, works offline, trained on generated textures, parts and defects",
        ),
    )
}
DEFAULT_MODEL = "moeclip-mini"


def builtin_file(name: str) -> Path:
    """Where a file of a built-in model lies.

    Raises:
        ModelError: if the installation lacks it.
    """
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"This installation of moeclip lacks {name}; install moeclip again.")
