"""Reading and writing safetensors: tensors by name and text by key, nothing that could run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from moeclip_cli.checkpoints.formats import damaged, unreadable
from moeclip_cli.errors import ModelError


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        ModelError: if the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise unreadable(path, error) from error
    except (SafetensorError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise damaged(path) from error
    return tensors, metadata


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file in one step: what was at `path` stays whole until it is replaced.

    Raises:
        ModelError: if the folder cannot be written to.
    """
    content = save({name: value.contiguous() for name, value in tensors.items()}, metadata)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ModelError(f"{path} cannot be written: {error.strerror or error}.") from error
