"""open_clip's configuration of a CLIP ViT: by the model's name, or read off its weights.

A configuration holds `embed_dim`, `vision_cfg` and `text_cfg`, as in open_clip's JSON files.
open_clip is imported where it is used, see `clip.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.family import State
from moeclip_cli.model.config import MAX_BLOCKS, PAPER_BACKBONE

Config = dict[str, Any]

# Heads of this width are usual for CLIP towers, OpenAI's among them; weights do not show it.
USUAL_HEAD_WIDTH = 64

# How the names of a text tower's tensors begin; those of the vision tower begin with "visual.".
_TEXT_TOWER = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.")


def named_config(name: str) -> Config:
    """The configuration of an open_clip model.

    Raises:
        ModelError: if open_clip does not know the model or it is not a plain CLIP ViT.
    """
    import open_clip

    config: Config | None = open_clip.get_model_config(name)
    if config is None:
        close = difflib.get_close_matches(name, open_clip.list_models(), n=3)
        hint = (
            f"did you mean {', '.join(close)}?" if close else f"use {PAPER_BACKBONE} or ViT-B-16."
        )
        raise ModelError(f"open_clip has no model '{shortened(name)}'; {hint}")
    if not _is_plain_vit(config):
        raise ModelError(
            f"'{name}' is not a CLIP ViT with a CLIP text tower; choose one, such as "
            f"{PAPER_BACKBONE} or ViT-B-16."
        )
    return config


def infer_config(state: State, name: str | None) -> tuple[str | None, Config]:
    """The open_clip model that weights belong to, if there is one, and their configuration.

    Weights do not show the number of heads. It comes from the model `name` or, without a name, from
    a model with the same shapes. If there is none, heads are 64 wide, as in OpenAI's CLIP.

    Args:
        state: tensors by OpenAI's or open_clip's names.
        name: the open_clip model that the weights are known to belong to.

    Raises:
        ModelError: if the tensors are not those of a CLIP ViT, or not of the model `name`.
    """
    shapes = read_shapes(state, state["visual.conv1.weight"].shape[-1])
    if name is not None:
        named = named_config(name)
        if not _same_shapes(named, shapes):
            raise ModelError(f"The backbone weights do not have the shapes of '{name}'.")
        return name, named
    import open_clip

    for candidate in open_clip.list_models():
        config = open_clip.get_model_config(candidate)
        if config and _is_plain_vit(config) and _same_shapes(config, shapes):
            return candidate, config
    return None, shapes


def read_shapes(state: State, patch_size: int) -> Config:
    """The part of a configuration that the shapes of the tensors show.

    `text_cfg` is None for a vision tower without a text tower; the joint dimension is then its
    width.

    Raises:
        ModelError: if a tensor is missing or has an unexpected number of dimensions.
    """
    try:
        positions, width = state["visual.positional_embedding"].shape
        mlp_width = state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0]
        text = _read_text(state) if any(key.startswith(_TEXT_TOWER) for key in state) else None
        joint = width if text is None else text["width"]
        if "text_projection" in state:
            joint = state["text_projection"].shape[1]
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(
            "These weights are not those of a CLIP ViT in OpenAI's or open_clip's format "
            f"(missing or misshaped: {error})."
        ) from error
    grid = round((positions - 1) ** 0.5)
    if grid * grid + 1 != positions:
        raise ModelError("The backbone's position embeddings are not those of a square image.")
    layers = _count_blocks(state, "visual.transformer")
    most = layers if text is None else max(layers, text["layers"])
    if most > MAX_BLOCKS:
        raise ModelError(f"The backbone has {most} blocks; supported are up to {MAX_BLOCKS}.")
    return {
        "embed_dim": joint,
        "vision_cfg": {
            "image_size": patch_size * grid,
            "layers": layers,
            "width": width,
            "patch_size": patch_size,
            "mlp_ratio": mlp_width / width,
            "head_width": min(USUAL_HEAD_WIDTH, width),
        },
        "text_cfg": text,
    }


def _read_text(state: State) -> Config:
    """`text_cfg` of weights with a text tower."""
    context_length, width = state["positional_embedding"].shape
    return {
        "context_length": context_length,
        "vocab_size": state["token_embedding.weight"].shape[0],
        "width": width,
        "heads": max(1, width // USUAL_HEAD_WIDTH),
        "layers": _count_blocks(state, "transformer"),
    }


def _count_blocks(state: State, prefix: str) -> int:
    start = f"{prefix}.resblocks."
    return len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})


def _is_plain_vit(config: Mapping[str, Any]) -> bool:
    """True if open_clip builds its plain CLIP class with a class token and its own text tower."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    return (
        not config.get("custom_text")
        and "timm_model_name" not in vision
        and not isinstance(vision["layers"], list)
        and not vision.get("attentional_pool")
        and "hf_model_name" not in text
        and not text.get("embed_cls")
    )


def _same_shapes(config: Mapping[str, Any], shapes: Mapping[str, Any]) -> bool:
    """True if weights of `shapes` fit `config`; only what the tensors show is compared."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    mlp_width = int(vision["width"] * vision.get("mlp_ratio", 4.0))
    return (
        config["embed_dim"] == shapes["embed_dim"]
        and all(
            vision[key] == shapes["vision_cfg"][key]
            for key in ("image_size", "layers", "width", "patch_size")
        )
        and mlp_width == round(shapes["vision_cfg"]["mlp_ratio"] * shapes["vision_cfg"]["width"])
        and all(
            text[key] == shapes["text_cfg"][key]
            for key in ("context_length", "vocab_size", "width", "layers")
        )
    )
