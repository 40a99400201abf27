"""The shapes of a CLIP ViT, by its open_clip name or read off its weights."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import open_clip
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.model.stem import ConvStem

# OpenAI's and most other CLIP towers use heads of this width; weights do not tell.
_USUAL_HEAD_WIDTH = 64


@dataclass(frozen=True)
class Architecture:
    """A CLIP ViT in open_clip's terms.

    Attributes:
        name: the open_clip model that has these shapes, or None.
        config: `embed_dim`, `vision_cfg` and `text_cfg`, as in open_clip's JSON files.
    """

    name: str | None
    config: dict[str, Any]


def named_architecture(name: str) -> Architecture:
    """The architecture that open_clip knows as `name`.

    Raises:
        ModelError: if open_clip does not know it or it is not a plain CLIP ViT.
    """
    config = open_clip.get_model_config(name)
    if config is None:
        close = difflib.get_close_matches(name, open_clip.list_models(), n=3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise ModelError(f"open_clip knows no model called '{name}'.{hint}")
    if not _is_plain_vit(config):
        raise ModelError(
            f"'{name}' is not a CLIP ViT with a CLIP text tower; MoECLIP needs one, "
            "such as ViT-L-14-336 or ViT-B-16."
        )
    return Architecture(name, config)


def infer_architecture(state: Mapping[str, torch.Tensor], name: str | None = None) -> Architecture:
    """Read the architecture off a CLIP state dict in OpenAI's or open_clip's naming.

    Weights do not tell the number of heads. It is taken from the open_clip model called `name` or,
    failing that, from one with the same shapes; otherwise heads are 64 wide, as in OpenAI's CLIP.

    Args:
        state: tensors by name.
        name: the open_clip model that the weights are known to belong to.

    Raises:
        ModelError: if the tensors are not those of a CLIP ViT, or not of the model `name`.
    """
    shapes = _shapes_from_tensors(state)
    if name is not None:
        named = named_architecture(name)
        if not _same_shapes(named.config, shapes):
            raise ModelError(f"The backbone weights do not have the shapes of '{name}'.")
        return named
    for candidate in open_clip.list_models():
        config = open_clip.get_model_config(candidate)
        if config and _is_plain_vit(config) and _same_shapes(config, shapes):
            return Architecture(candidate, config)
    return Architecture(None, shapes)


def _shapes_from_tensors(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    try:
        positions, width = state["visual.positional_embedding"].shape
        context_length, text_width = state["positional_embedding"].shape
        vocab_size = state["token_embedding.weight"].shape[0]
        mlp_width = state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0]
        joint = state["text_projection"].shape[1] if "text_projection" in state else text_width
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(
            "These weights are not those of a CLIP ViT in OpenAI's or open_clip's format "
            f"(missing or misshaped: {error})."
        ) from error
    if "visual.conv1.weight" in state:
        patch_size = state["visual.conv1.weight"].shape[-1]
    else:
        patch_size = ConvStem.STRIDE
    grid = round((positions - 1) ** 0.5)
    if grid * grid + 1 != positions:
        raise ModelError("The backbone's positional embedding is not that of a square image.")
    return {
        "embed_dim": joint,
        "vision_cfg": {
            "image_size": patch_size * grid,
            "layers": _count_blocks(state, "visual.transformer"),
            "width": width,
            "patch_size": patch_size,
            "mlp_ratio": mlp_width / width,
            "head_width": min(_USUAL_HEAD_WIDTH, width),
        },
        "text_cfg": {
            "context_length": context_length,
            "vocab_size": vocab_size,
            "width": text_width,
            "heads": max(1, text_width // _USUAL_HEAD_WIDTH),
            "layers": _count_blocks(state, "transformer"),
        },
    }


def _count_blocks(state: Mapping[str, torch.Tensor], prefix: str) -> int:
    start = f"{prefix}.resblocks."
    return len({key[len(start) :].split(".")[0] for key in state if key.startswith(start)})


def _is_plain_vit(config: Mapping[str, Any]) -> bool:
    """Whether open_clip builds its plain CLIP class with a class token and its own text tower."""
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
    """Whether weights of `shapes` fit `config`; only what shows in the tensors is compared."""
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
