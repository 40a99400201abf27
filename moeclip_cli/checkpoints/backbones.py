"""The weights of the backbone under the adapters: finding, fetching and reading them.

open_clip and the hub's client are imported where they are used: that takes seconds, and the
built-in models do without them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from moeclip_cli.bounded_text import shortened
from moeclip_cli.checkpoints.builtin import BUILTIN_BACKBONES, builtin_file, same_scores
from moeclip_cli.checkpoints.configuration import BackboneRef
from moeclip_cli.checkpoints.formats import METADATA_KEY, FileFormat, detect_format, file_digest
from moeclip_cli.checkpoints.hub_reference import HubReference
from moeclip_cli.checkpoints.safetensors_file import read_safetensors
from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.checkpoints.torch_file import read_torch_file
from moeclip_cli.checkpoints.torchscript_file import read_torchscript_file
from moeclip_cli.errors import ModelError
from moeclip_cli.model.config import PAPER_BACKBONE

# The parameter that takes a local file, for messages.
PARAMETER = "backbone_weights"

# Not weights: bookkeeping of OpenAI's files, and a mask that follows from the context length.
_BOOKKEEPING = ("input_resolution", "context_length", "vocab_size", "attn_mask")


def find_backbone(ref: BackboneRef, weights: Path | None, needed_by: str) -> Path:
    """The file of a backbone: the given one, the built-in one, or the one on the hub.

    Args:
        ref: the backbone that a checkpoint names.
        weights: a file to use instead of fetching.
        needed_by: name of the checkpoint in messages.

    Raises:
        ModelError: if there is none, or its digest differs from `ref.digest`.
    """
    if weights is not None:
        path = weights
    elif ref.name in BUILTIN_BACKBONES:
        path = builtin_file(BUILTIN_BACKBONES[ref.name])
    elif ref.pretrained is not None:
        path = fetch_pretrained(ref.name, ref.pretrained)
    else:
        raise ModelError(
            f"{needed_by} requires the backbone '{shortened(ref.name)}', which cannot be "
            f"downloaded; give its file as `{PARAMETER}`."
        )
    if ref.digest is not None and not same_scores(found := file_digest(path), ref.digest):
        part = weights is not None and ref.name in BUILTIN_BACKBONES
        remedy = (
            f"Omit `{PARAMETER}`: that backbone is part of moeclip."
            if part
            else f"Give that file as `{PARAMETER}`."
        )
        raise ModelError(
            f"{needed_by} requires another backbone file than {path}: '{shortened(ref.name)}' with "
            f"SHA-256 {shortened(ref.digest)}, not {found}. {remedy}"
        )
    return path


def fetch_pretrained(name: str, tag: str, *, refresh: bool = False) -> Path:
    """The local path of weights that open_clip knows by model name and tag.

    Args:
        name: open_clip's name of the model.
        tag: open_clip's tag of the weights.
        refresh: ask the hub for a newer version even if the file is in the cache.

    Raises:
        ModelError: if open_clip does not know them or they cannot be fetched.
    """
    import open_clip

    from moeclip_cli.checkpoints.hub import OPEN_CLIP_NAMES, fetch

    check_tag(name, tag)
    entry = open_clip.get_pretrained_cfg(name, tag)
    location = entry.get("hf_hub")
    if not location:
        raise ModelError(
            f"The weights '{tag}' of '{name}' are not on the hub: download {entry.get('url')} and "
            f"give the file as `{PARAMETER}`."
        )
    # open_clip writes "owner/repo/" or "owner/repo/file".
    repo, _, file = location.rpartition("/")
    reference = HubReference(repo, file or None)
    return fetch(reference, candidates=OPEN_CLIP_NAMES, parameter=PARAMETER, refresh=refresh)


def check_tag(name: str, tag: str) -> None:
    """Refuse a tag that open_clip does not know.

    Raises:
        ModelError: listing the tags of that model.
    """
    import open_clip

    if not open_clip.is_pretrained_cfg(name, tag):
        tags = open_clip.list_pretrained_tags_by_model(name)
        known = f"it has {', '.join(tags)}" if tags else "it has none for that model"
        raise ModelError(
            f"open_clip has no weights '{shortened(tag)}' of '{shortened(name)}'; {known}."
        )


def default_tag(name: str) -> str:
    """The default tag of a model: OpenAI's weights if there are any, else the only tag.

    Raises:
        ModelError: if open_clip has no weights of that model, or several and none by OpenAI.
    """
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(name)
    if "openai" in tags:
        return "openai"
    if len(tags) == 1:
        return str(tags[0])
    if tags:
        raise ModelError(
            f"There are several weights of '{name}'; choose one with `pretrained` "
            f"({', '.join(tags)})."
        )
    near = difflib.get_close_matches(
        name, [*BUILTIN_BACKBONES, *open_clip.list_models()], n=1, cutoff=0.7
    )
    hint = f"did you mean {near[0]}?" if near else f"choose another one, such as {PAPER_BACKBONE}."
    raise ModelError(f"open_clip has no weights of '{shortened(name)}'; {hint}")


def read_backbone(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a backbone.

    Args:
        path: OpenAI's `.pt` (TorchScript archive or state dict), a `.pt` as open_clip saves it (a
            state dict, optionally under "state_dict" and with names that begin with "module."), or
            a `.safetensors`.

    Raises:
        ModelError: if the file is none of these, is corrupt, could run code, or contains NaN or
            infinite numbers.
    """
    kind = detect_format(path)
    content: Mapping[Any, object]
    if kind is FileFormat.SAFETENSORS:
        content, metadata = read_safetensors(path)
        if METADATA_KEY in metadata:
            raise _not_a_backbone(path)
    elif kind is FileFormat.TORCHSCRIPT:
        content = read_torchscript_file(path)
    else:
        content = _state_dict(path)
    weights = {
        str(name).removeprefix("module."): value
        for name, value in content.items()
        if str(name).rpartition(".")[2] not in _BOOKKEEPING
    }
    return check_tensors(weights, path)


def _state_dict(path: Path) -> Mapping[Any, object]:
    content = read_torch_file(path)
    if "image_adapter" in content:
        raise _not_a_backbone(path)
    nested = content.get("state_dict", content)
    if not isinstance(nested, Mapping):
        raise ModelError(f"'state_dict' in {path} is not a dictionary of tensors.")
    return nested


def _not_a_backbone(path: Path) -> ModelError:
    return ModelError(
        f"{path} is a MoECLIP checkpoint, not a backbone; give the weights of its CLIP as "
        f"`{PARAMETER}`."
    )
