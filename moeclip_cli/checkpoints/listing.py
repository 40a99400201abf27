"""Models that need no download: the built-in ones and those in the hub's cache.

Files are recognised by their headers, without importing PyTorch.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from moeclip_cli.checkpoints.builtin import BUILTIN, BUILTIN_TOWERS, builtin_file
from moeclip_cli.checkpoints.formats import METADATA_KEY, refuse_packed
from moeclip_cli.checkpoints.hub import OPEN_CLIP_NAMES, cached_files
from moeclip_cli.checkpoints.hub_reference import HubReference
from moeclip_cli.errors import ModelError


@dataclass(frozen=True)
class ListedModel:
    """A model on this machine.

    Attributes:
        name: `model` of `load_model`.
        kind: "built-in", "built-in backbone", "checkpoint" or "backbone".
        size_bytes: size of its file or files.
        path: of the checkpoint or backbone.
    """

    name: str
    kind: str
    size_bytes: int
    path: Path


def list_models() -> list[ListedModel]:
    """The built-in models and backbones, then the checkpoints and backbones in the hub's cache.

    Raises:
        ModelError: if a file of a built-in model is missing.
    """
    found = []
    for model in BUILTIN.values():
        path = builtin_file(model.checkpoint)
        size = sum(builtin_file(name).stat().st_size for name in model.files)
        found.append(ListedModel(model.name, "built-in", size, path))
    for name, file_name in BUILTIN_TOWERS.items():
        path = builtin_file(file_name)
        found.append(ListedModel(name, "built-in backbone", path.stat().st_size, path))
    for file in cached_files():
        kind = _kind(file.path)
        if kind is not None:
            name = str(HubReference(file.repo, file.file, file.revision))
            found.append(ListedModel(name, kind, file.size_bytes, file.path))
    return found


def _kind(path: Path) -> str | None:
    """The kind of a file, or None if it does not belong to MoECLIP."""
    if path.name in OPEN_CLIP_NAMES:
        return "backbone"
    if path.suffix == ".safetensors" and _has_configuration(path):
        return "checkpoint"
    if path.suffix == ".pth" and _has_image_adapter(path):
        return "checkpoint"
    return None


def _has_configuration(path: Path) -> bool:
    try:
        with safe_open(path, framework="numpy") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _has_image_adapter(path: Path) -> bool:
    """True if a file of PyTorch contains the authors' key; nothing is unpickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_packed(archive, path)
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            return any(b"image_adapter" in archive.read(name) for name in pickles)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ModelError):
        return False
