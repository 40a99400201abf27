"""The backbone of the built-in model: a CLIP with a convolutional stem for patch embedding.

It is small and was trained from random weights; see `stem.py` for the reasons. Its text tower is
optional, as the finished model has one text for all prompts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones import clip
from moeclip_cli.model.backbones.family import Activation, Architecture, Backbone, Family, State
from moeclip_cli.model.backbones.open_clip_config import USUAL_HEAD_WIDTH, read_shapes
from moeclip_cli.model.backbones.plain_clip import PlainClip
from moeclip_cli.model.backbones.stem import ConvStem
from moeclip_cli.model.backbones.tokenizer import tokenize


def describe(state: State, name: str | None) -> Architecture:
    """Read the architecture off a state dict.

    Raises:
        ModelError: if a tensor is missing or misshaped, or the weights should be those of a
            published model.
    """
    if name is not None:
        raise ModelError(
            f"The backbone weights are not those of '{name}': they have the convolutional stem of "
            "moeclip's built-in backbone."
        )
    return clip.architecture(MINI, None, read_shapes(state, ConvStem.STRIDE))


def build(architecture: Architecture, state: State, activation: Activation) -> Backbone:
    """Build the towers around a state dict, in float32 on the CPU.

    The built-in file has the vision tower alone; a text tower is fitted and used in training.

    Raises:
        ModelError: if the weights do not fit the architecture.
    """
    config = architecture.details
    stem = ConvStem.from_state(state)
    with clip.without_memory():
        towers = PlainClip(config, stem, activation)
    clip.load(towers, state)
    vision, text = clip.ClipVision(towers.visual, MINI.positions), None
    if config["text_cfg"] is not None:
        tokenizer = partial(tokenize, context_length=config["text_cfg"]["context_length"])
        text = clip.ClipText(towers, tokenizer)
    return Backbone(vision, text, architecture)


def untrained(
    *, image_size: int, width: int, blocks: int, text_width: int, text_blocks: int
) -> Backbone:
    """A backbone with random weights, for training the built-in model.

    Args:
        image_size: side in pixels that the position embeddings are for.
        width: vision width.
        blocks: number of blocks of the vision tower.
        text_width: width of the text tower, and the joint dimension.
        text_blocks: number of blocks of the text tower.
    """
    # Its random weights are open_clip's. Imported here, as scoring does not need it.
    import open_clip

    vision: dict[str, Any] = {
        "image_size": image_size,
        "layers": blocks,
        "width": width,
        "patch_size": ConvStem.STRIDE,
        "head_width": USUAL_HEAD_WIDTH,
    }
    text: dict[str, Any] = {
        "width": text_width,
        "heads": max(1, text_width // USUAL_HEAD_WIDTH),
        "layers": text_blocks,
    }
    model = open_clip.CLIP(text_width, vision, text)
    model.visual.conv1 = ConvStem(width)
    state = {k: v for k, v in model.state_dict().items() if k not in (*clip.UNUSED, "attn_mask")}
    return build(describe(state, None), state, "gelu")


MINI = Family(
    name="moeclip-mini",
    tensors=("visual.conv1.edges.weight",),
    preprocessing=clip.CLIP.preprocessing,
    positions=clip.CLIP.positions,
    activations=("gelu", "quick_gelu"),
    licence="Apache-2.0",
    origin="part of moeclip, trained on generated images; see weights/README.md",
    describe=describe,
    build=build,
)
