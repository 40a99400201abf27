"""Reading and writing safetensors files: named tensors and text metadata, no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from moeclip_cli.checkpoints.formats import unreadable
from moeclip_cli.checkpoints.tensors import check_count
from moeclip_cli.checkpoints.torch_file import MALFORMED, misread
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.files import replacing


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        ModelError: if the file is corrupt or cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            check_count(len(names), path)
            tensors = {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise unreadable(path, error) from error
    except (SafetensorError, *MALFORMED) as error:
        raise misread(path, error) from error
    return tensors, metadata


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file in one step; an earlier file at `path` stays whole until then.

    Raises:
        ModelError: if the folder cannot be written to.
    """
    content = save({name: value.contiguous() for name, value in tensors.items()}, metadata)
    try:
        with replacing(path, durable=True) as stream:
            stream.write(content)
    except UsageError as error:
        raise ModelError(str(error)) from error
