"""The names of models: built in, a local file or a reference to the hub."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.builtin import BUILTIN, BUILTIN_TOWERS
from moeclip_cli.checkpoints.formats import unreadable
from moeclip_cli.checkpoints.hub_reference import HUB_PREFIX, parse_reference
from moeclip_cli.choices import ExportFormat
from moeclip_cli.errors import ModelError

GRAPH_SUFFIXES: dict[ExportFormat, str] = {"onnx": ".onnx", "openvino": ".xml"}
"""End of the name of an exported graph in each format."""

_SUFFIXES = (".safetensors", ".pth", ".pt", *GRAPH_SUFFIXES.values())


def require_model(model: str) -> None:
    """Refuse a model that cannot be found, without reading or downloading it.

    Raises:
        ModelError: if it is neither built in, nor a file, nor a reference in the right form.
    """
    if model in BUILTIN or model in BUILTIN_TOWERS:
        return
    if is_graph(model):  # scored where huggingface_hub may be missing
        local_file(model)
    elif model.startswith(HUB_PREFIX):
        parse_reference(model)
    else:
        local_file(model)


def is_graph(model: str) -> bool:
    """True if the name of a model is that of an exported graph."""
    return Path(model).suffix in GRAPH_SUFFIXES.values()


def local_file(model: str) -> Path:
    """The checkpoint file of a model that is neither built in nor on the hub.

    Raises:
        ModelError: if there is none, with similar names, or its folder cannot be searched.
    """
    try:
        path = Path(model).expanduser()
        path.stat()
    except PermissionError as error:
        raise unreadable(Path(model), error) from error
    # RuntimeError: the home of an unknown user. ValueError: a NUL character.
    except (OSError, RuntimeError, ValueError) as error:
        near = _similar(path) if isinstance(error, FileNotFoundError) else []
        meant = f" Did you mean {', '.join(near)}?" if near else ""
        raise ModelError(
            f"Model '{shortened(model, 500)}' not found: it is neither a file nor built in "
            f"({', '.join(BUILTIN)}) nor a reference hf://owner/repo.{meant}"
        ) from error
    return path


def _similar(path: Path) -> list[str]:
    """Similar names of built-in models and of weights files, or the repository of that name."""
    names = []
    if path.parent.is_dir():
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES]
    elif re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", str(path)) and path.suffix not in _SUFFIXES:
        return [f"hf://{path.as_posix()}"]
    built_in = {*BUILTIN, *BUILTIN_TOWERS}
    near = difflib.get_close_matches(path.name, [*names, *built_in], n=3)
    return [name if name in built_in else str(path.with_name(name)) for name in near]
