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

EARLIER_DIGESTS = {
    # moeclip-mini.safetensors, its backbone, and moeclip-small.safetensors, which names that.
    "14fb26e981f7aece4bd65cbf9de0cd7a2bba0c016177aad112aa8002fd10ecfe": (
        "4d4a571c4662b4e9944a7101a991b4844e88f271060fb58c73d61a65af368e75"
    ),
    "3427ecd27ebc39b12091400d0c6cf8268ed9ca99dcac6b1bcda52b0d07f80eda": (
        "e683d4ced807865c8844b4e56d2e9118e6bdd39bba5a1b71d32c18fb9c9ff76a"
    ),
    "3caf4dc0d050ea12f3f2871cf5003339844fc8fe5359ac5f615a6c4faaf38d0d": (
        "a2de6d86d09a2986c6bade3b171c7cc9adea0255e478f80c6c9332bdadc0e987"
    ),
}
"""SHA-256 of built-in files from when moeclip-mini had a text tower, and of the present ones."""


def same_scores(one: object, other: object) -> bool:
    """True if two settings are equal, or digests of built-in files that give the same scores."""
    return _present(one) == _present(other)


def _present(setting: object) -> object:
    return EARLIER_DIGESTS.get(setting, setting) if isinstance(setting, str) else setting


def builtin_file(name: str) -> Path:
    """The path of a file of a built-in model.

    Raises:
        ModelError: if the installation lacks it.
    """
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"This installation of moeclip lacks {name}; reinstall moeclip.")
