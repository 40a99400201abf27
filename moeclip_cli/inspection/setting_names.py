"""Settings in refusals: a digest is told with the name of the file that it is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moeclip_cli.bounded_text import shortened

NONE = "none"
"""The value of a setting that is not in use."""

_DIGEST = "_digest"
_REFERENCES = "references"
# Settings that are digests of several images, in words.
_SETS = {
    _REFERENCES: "references",
    "training": "list of training images",
    "validation": "list of validation images",
}
_SHOWN = 8


def file_of(key: str) -> str | None:
    """The setting with the name of the file whose digest this setting is; None for any other."""
    return key.removesuffix(_DIGEST) if key.endswith(_DIGEST) else None


def label(key: str) -> str:
    """A setting in words, such as "image size"; of a digest, what it is of."""
    return _SETS.get(key) or (file_of(key) or key).replace("_", " ")


def follows(key: str) -> bool:
    """True for the digest of a set of images, which may differ because another setting does."""
    return key in _SETS


def shown(key: str, settings: Mapping[str, Any]) -> str:
    """The value of a setting, such as "mini.pth (SHA-256 1a2b3c4d...)" for a digest, or "not set".

    Args:
        key: of the setting.
        settings: all settings.
    """
    value, file = settings.get(key), file_of(key)
    if value is None:
        return "not set"
    if not isinstance(value, str) or value == NONE or (file is None and key not in _SETS):
        return shortened(value)
    if " " in value:  # generated images, which have no list
        return value
    digest = f"SHA-256 {value[:_SHOWN]}..."
    name = settings.get(file or "")
    return (
        f"{name} ({digest})" if name else f"a set with {digest}" if key == _REFERENCES else digest
    )
