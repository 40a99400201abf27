"""Where moeclip looks for models, datasets and settings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants

from moeclip_cli.datasets.opening import resolve_data_root
from moeclip_cli.doctor.finding import Finding

_PREFIX = "MOECLIP_"


def places(settings_file: Path) -> Iterator[Finding]:
    """The hub's cache, the datasets' folder, and settings that are in effect here.

    Args:
        settings_file: what the file of settings is called.
    """
    yield Finding("hub cache", f"{_folder(Path(constants.HF_HUB_CACHE))}{_offline()}")
    yield Finding("datasets", _folder(resolve_data_root(None)))
    if settings_file.is_file():
        yield Finding("settings", str(settings_file.absolute()))
    for name in sorted(os.environ):
        if name.startswith(_PREFIX):
            yield Finding(name, os.environ[name])


def _offline() -> str:
    return ", HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else ""


def _folder(path: Path) -> str:
    """A folder and the room in it; one that is missing is made when it is needed."""
    if not path.is_dir():
        return f"{path.absolute()}, not there"
    return f"{path.absolute()}, {shutil.disk_usage(path).free / 1e9:.1f} GB free"
