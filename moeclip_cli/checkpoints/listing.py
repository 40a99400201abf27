"""Which models can be used without a download: the built-in ones and those in the hub's cache.

Files are told apart by a look at their heads; PyTorch is not needed for that, nor imported.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from moeclip_cli.checkpoints.builtin import BUILTIN, builtin_file
from moeclip_cli.checkpoints.formats import METADATA_KEY
from moeclip_cli.checkpoints.hub import OPEN_CLIP_NAMES, HubReference, cached_files


@dataclass(frozen=True)
class ListedModel:
    """A model on this machine.

    Attributes:
        name: what to call it on the command line.
        kind: "built-in", "checkpoint" or "backbone".
        size_bytes: size of its file or files.
        path: the file that `name` stands for.
    """

    name: str
    kind: str
    size_bytes: int
    path: Path


def list_models() -> list[ListedModel]:
    """The built-in models, then the checkpoints and backbones in the hub's cache.

    Raises:
        ModelError: if a file of a built-in model is missing.
    """
    found = []
    for model in BUILTIN.values():
        path = builtin_file(model.checkpoint)
        size = path.stat().st_size + builtin_file(model.backbone).stat().st_size
        found.append(ListedModel(model.name, "built-in", size, path))
    for file in cached_files():
        kind = _kind(file.path)
        if kind is not None:
            name = str(HubReference(file.repo, file.file, file.revision))
            found.append(ListedModel(name, kind, file.size_bytes, file.path))
    return found


def _kind(path: Path) -> str | None:
    """What a file is for, or None if it has nothing to do with MoECLIP."""
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
    """Whether a file of PyTorch mentions the authors' key, without unpickling it."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            return any(b"image_adapter" in archive.read(name) for name in pickles)
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False
