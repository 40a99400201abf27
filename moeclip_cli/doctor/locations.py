"""Locations of models, datasets and settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants

from moeclip_cli.datasets.opening import resolve_data_root
from moeclip_cli.doctor.finding import Finding

_SETTINGS_PREFIX = "MOECLIP_"
# They are, or may contain, passwords.
_SECRET = ("MOECLIP_TOKEN", "MOECLIP_WEBHOOK_SECRET", "MOECLIP_WEBHOOK", "MOECLIP_MQTT")


def locations(settings_file: Path) -> Iterator[Finding]:
    """Yield the Hugging Face cache, the dataset folder and all settings in effect.

    Args:
        settings_file: path of the settings file.
    """
    yield Finding("hub cache", f"{_folder(Path(constants.HF_HUB_CACHE))}{_offline()}")
    yield Finding("datasets", _folder(resolve_data_root(None)))
    if settings_file.is_file():
        yield Finding("settings", str(settings_file.absolute()))
    for name in sorted(os.environ):
        if name.startswith(_SETTINGS_PREFIX):
            yield Finding(name, "set" if name in _SECRET else os.environ[name])


def _offline() -> str:
    return ", HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else ""


def _folder(path: Path) -> str:
    """Describe a folder and its free space. A missing one is not a problem: it is made on use."""
    if not path.is_dir():
        return f"{path.absolute()}, not found"
    return f"{path.absolute()}, {shutil.disk_usage(path).free / 1e9:.1f} GB free"
