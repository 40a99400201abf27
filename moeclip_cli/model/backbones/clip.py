"""CLIP ViTs (Radford et al., 2021): OpenAI's weights, and open_clip's in the same layout.

open_clip is imported where it is used: that takes seconds, and the built-in models do without it.

Shapes: B images, L = g * g patches, D vision width, W text width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import ModelError
from moeclip_cli.model.backbones.blocks import fused
from moeclip_cli.model.backbones.family import Activation, Architecture, Backbone, Family, State
from moeclip_cli.model.backbones.open_clip_config import infer_config, named_config
from moeclip_cli.model.backbones.positions import PositionResampling, resize_positions
from moeclip_cli.model.backbones.towers import TextTower, VisionTower
from moeclip_cli.model.finite import too_long_as_nan
from moeclip_cli.model.preprocessing import Preprocessing

if TYPE_CHECKING:
    import open_clip
    from open_clip.transformer import VisionTransformer

    from moeclip_cli.model.backbones.plain_clip import PlainClip, PlainVisual

# CLIP has these, MoECLIP does not use them: patches and text get projections of their own.
UNUSED = ("visual.proj", "text_projection", "logit_scale", "logit_bias")
# Parts of the towers that have another name in open_clip.
_OPEN_CLIP_NAMES = {"blocks": "transformer.resblocks", "norm": "ln_post"}


class ClipVision(VisionTower):
    """CLIP's vision tower; its prefix is the class token.

    Args:
        visual: the vision tower of open_clip or of `PlainClip`.
        resampling: of its position embeddings.
    """

    prefix_tokens = 1

    def __init__(
        self, visual: VisionTransformer | PlainVisual, resampling: PositionResampling
    ) -> None:
        super().__init__()
        self.conv1: nn.Module = visual.conv1
        self.class_embedding: nn.Parameter = visual.class_embedding
        self.positional_embedding: nn.Parameter = visual.positional_embedding
        self.ln_pre: nn.Module = visual.ln_pre
        self.blocks = nn.ModuleList(fused(block) for block in visual.transformer.resblocks)
        self.norm = visual.ln_post
        self._resampling = resampling

    def embed(self, images: Tensor) -> Tensor:
        """Tokens (B, 1 + L, D) of normalised images (B, 3, S, S)."""
        patches = self.conv1(images)
        grid = patches.shape[-1]
        tokens = patches.flatten(2).transpose(1, 2)
        cls = self.class_embedding.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        positions = self.positions(grid, grid).to(tokens.dtype)
        placed = torch.cat([cls, tokens], dim=1) + positions
        embedded: Tensor = self.ln_pre(too_long_as_nan(placed))
        return embedded

    def resized_positions(self, rows: int, columns: int) -> Tensor:
        """Position embeddings (1 + rows * columns, D), that of the class token first."""
        return resize_positions(
            self.positional_embedding, (rows, columns), self.prefix_tokens, self._resampling
        )


class ClipText(TextTower):
    """CLIP's text tower up to the last layer norm, read at the end-of-text position.

    Args:
        clip: has the text tower.
        tokenizer: from sentences to token ids (n, context length).
        causal: whether no token sees a later one.
        pool_type: open_clip's name of the position at which a sentence is read.
        eos_id: id of the end-of-text token, for the pool type "eos".
    """

    def __init__(
        self,
        clip: open_clip.CLIP | PlainClip,
        tokenizer: Callable[[list[str]], Tensor],
        *,
        causal: bool = True,
        pool_type: str = "argmax",
        eos_id: int = 49407,
    ) -> None:
        super().__init__()
        self.token_embedding = clip.token_embedding
        self.positional_embedding = clip.positional_embedding
        self.blocks = nn.ModuleList(fused(block) for block in clip.transformer.resblocks)
        self.ln_final = clip.ln_final
        self.causal = causal
        self.pool_type = pool_type
        self.eos_id = eos_id
        self._tokenizer = tokenizer

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Token ids (n, context length), on the device of the tower."""
        return self._tokenizer(list(sentences)).to(self.positional_embedding.device)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode token ids (n, context length) to (n, W)."""
        end = self._end_positions(tokens)
        if self.causal:
            # No position sees a later one, so positions behind the last end of text change nothing.
            tokens = tokens[:, : int(end.max()) + 1]
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, causal=self.causal)
        last = x[torch.arange(len(x), device=x.device), end]
        features: Tensor = self.ln_final(too_long_as_nan(last))
        return features

    def _end_positions(self, tokens: Tensor) -> Tensor:
        """Position at which each sentence is read, (n,)."""
        if self.pool_type == "argmax":  # the end-of-text token has CLIP's highest id
            return tokens.argmax(dim=-1)
        if self.pool_type == "eos":
            return (tokens == self.eos_id).int().argmax(dim=-1)
        return torch.full_like(tokens[:, 0], tokens.shape[1] - 1)


def named_architecture(name: str) -> Architecture:
    """The architecture of an open_clip model.

    Raises:
        ModelError: if open_clip does not know the model or it is not a plain CLIP ViT.
    """
    return architecture(CLIP, name, named_config(name))


def architecture(family: Family, name: str | None, config: Mapping[str, Any]) -> Architecture:
    """The architecture that an open_clip configuration describes.

    Args:
        family: CLIP, or a family that shares its towers.
        name: the open_clip model, or None.
        config: `embed_dim`, `vision_cfg` and `text_cfg`, as in open_clip's JSON files; `text_cfg`
            may be None, see `read_shapes`.
    """
    vision, text = config["vision_cfg"], config["text_cfg"]
    return Architecture(
        family=family,
        name=name,
        vision_width=vision["width"],
        blocks=vision["layers"],
        patch_size=vision["patch_size"],
        prefix_tokens=ClipVision.prefix_tokens,
        text_width=None if text is None else text["width"],
        joint_dim=config["embed_dim"],
        details=config,
    )


def describe(state: State, name: str | None) -> Architecture:
    """Read the architecture off a CLIP state dict, see `infer_config`."""
    return architecture(CLIP, *infer_config(state, name))


def build(architecture: Architecture, state: State, activation: Activation) -> Backbone:
    """Build both towers around a state dict, in float32 on the CPU.

    The activation is the caller's choice, not open_clip's: MoECLIP's authors run OpenAI's weights
    with exact GELU although those were trained with QuickGELU.

    Args:
        architecture: of the weights.
        state: tensors by open_clip's names, in any floating-point type.
        activation: of both towers.

    Raises:
        ModelError: if the weights do not fit the architecture.
    """
    import open_clip

    config = architecture.details
    with without_memory():
        clip = open_clip.CLIP(
            config["embed_dim"],
            config["vision_cfg"],
            config["text_cfg"],
            quick_gelu=activation == "quick_gelu",
        )
    load(clip, state)
    text = ClipText(
        clip,
        _tokenizer(architecture.name, config["text_cfg"]["context_length"]),
        causal=clip.attn_mask is not None,
        pool_type=clip.text_pool_type,
        eos_id=clip.text_eos_id,
    )
    return Backbone(ClipVision(clip.visual, CLIP.positions), text, architecture)


@contextmanager
def without_memory() -> Iterator[None]:
    """Build modules whose tensors are all about to be replaced.

    ViT-L's random initialisation would take longer than reading its weights.

    Raises:
        ModelError: if widths and numbers of heads do not fit each other.
    """
    try:
        with torch.device("meta"):
            yield
    except (AssertionError, ArithmeticError, ValueError) as error:
        raise ModelError(
            f"The backbone weights do not have the shapes of a CLIP ViT: {error}."
        ) from error


def open_clip_state(backbone: Backbone) -> dict[str, Tensor]:
    """The tensors of a backbone that `build` made, by open_clip's names."""
    state = {}
    for name, value in backbone.state_dict().items():
        tower, _, rest = name.partition(".")
        prefix = "visual." if tower == "vision" else ""
        part, dot, leaf = rest.partition(".")
        state[f"{prefix}{_OPEN_CLIP_NAMES.get(part, part)}{dot}{leaf}"] = value
    return state


def load(clip: open_clip.CLIP | PlainClip, state: State) -> None:
    """Put the tensors that MoECLIP uses into `clip`, in float32.

    Raises:
        ModelError: if a tensor is missing, unknown or misshaped.
    """
    wanted = {name for name in clip.state_dict() if name not in UNUSED}
    floats = {name: tensor.float() for name, tensor in state.items() if name in wanted}
    missing = sorted(wanted - floats.keys())
    unknown = sorted(state.keys() - wanted - set(UNUSED))
    if missing or unknown:
        name = shortened((missing or unknown)[0])
        what = f"lack '{name}'" if missing else f"have an unknown tensor '{name}'"
        raise ModelError(f"The backbone weights {what}: they are not those of a plain CLIP ViT.")
    try:
        clip.load_state_dict(floats, strict=False, assign=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"The backbone weights do not fit the architecture: {reason}") from error


@lru_cache
def _tokenizer(name: str | None, context_length: int) -> open_clip.SimpleTokenizer:
    """The tokenizer of a named architecture, or CLIP's. Reading the vocabulary takes 0.2 s."""
    import open_clip

    if name is not None:
        return open_clip.get_tokenizer(name)
    return open_clip.SimpleTokenizer(context_length=context_length)


CLIP = Family(
    name="CLIP ViT",
    tensors=(
        "visual.conv1.weight",
        "visual.class_embedding",
        "visual.positional_embedding",
        "token_embedding.weight",
    ),
    # Statistics of the images that OpenAI trained on.
    preprocessing=Preprocessing(
        mean=(0.48145466, 0.4578275, 0.40821073),
        std=(0.26862954, 0.26130258, 0.27577711),
        interpolation="bicubic",
    ),
    positions=PositionResampling("bicubic", antialias=True),
    activations=("gelu", "quick_gelu"),
    licence="MIT (OpenAI's weights; others as their publisher says)",
    origin="https://github.com/openai/CLIP and https://github.com/mlfoundations/open_clip",
    describe=describe,
    build=build,
)
