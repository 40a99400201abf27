"""The frozen CLIP towers: open_clip's modules, run with fused attention and open to adapters.

Shapes: B images, L = g * g patches, D vision width, W text width, C joint dimension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from moeclip_cli.errors import ModelError
from moeclip_cli.model.architecture import Architecture
from moeclip_cli.model.stem import ConvStem

# CLIP has these, MoECLIP does not use them: patches and text get projections of their own.
_UNUSED = ("visual.proj", "text_projection", "logit_scale", "logit_bias")


class VisionTower(nn.Module):
    """CLIP's vision tower, taken apart so that adapters can act between its blocks."""

    def __init__(self, visual: VisionTransformer) -> None:
        super().__init__()
        self.conv1: nn.Module = visual.conv1
        self.class_embedding: nn.Parameter = visual.class_embedding
        self.positional_embedding: nn.Parameter = visual.positional_embedding
        self.ln_pre: nn.Module = visual.ln_pre
        self.blocks: nn.ModuleList = visual.transformer.resblocks
        self.ln_post: nn.Module = visual.ln_post

    def embed(self, images: Tensor) -> Tensor:
        """Tokens that enter the first block.

        Args:
            images: (B, 3, S, S) normalised, S a multiple of the patch size.

        Returns:
            (B, 1 + L, D), the class token first.
        """
        patches = self.conv1(images)
        grid = patches.shape[-1]
        tokens = patches.flatten(2).transpose(1, 2)
        cls = self.class_embedding.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        positions = resize_positions(self.positional_embedding, grid).to(tokens.dtype)
        embedded: Tensor = self.ln_pre(torch.cat([cls, tokens], dim=1) + positions)
        return embedded


class TextTower(nn.Module):
    """CLIP's text tower up to the last layer norm, read at the end-of-text position."""

    def __init__(self, clip: open_clip.CLIP) -> None:
        super().__init__()
        self.token_embedding = clip.token_embedding
        self.positional_embedding = clip.positional_embedding
        self.blocks = clip.transformer.resblocks
        self.ln_final = clip.ln_final
        self.causal = clip.attn_mask is not None
        self.pool_type = clip.text_pool_type
        self.eos_id = clip.text_eos_id

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode token ids (n, context length) to (n, W)."""
        end = self._end_positions(tokens)
        if self.causal:
            # No position sees a later one, so what follows the last end of text changes nothing.
            tokens = tokens[:, : int(end.max()) + 1]
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        for block in self.blocks:
            x = run_block(block, x, causal=self.causal)
        features: Tensor = self.ln_final(x[torch.arange(len(x), device=x.device), end])
        return features

    def _end_positions(self, tokens: Tensor) -> Tensor:
        """Where each sentence is read, (n,)."""
        if self.pool_type == "argmax":  # the end-of-text token has CLIP's highest id
            return tokens.argmax(dim=-1)
        if self.pool_type == "eos":
            return (tokens == self.eos_id).int().argmax(dim=-1)
        return torch.full_like(tokens[:, 0], tokens.shape[1] - 1)


class Backbone(nn.Module):
    """A frozen CLIP: both towers and the tokenizer.

    Attributes:
        vision_width: D.
        text_width: W.
        joint_dim: C.
        blocks: number of blocks of the vision tower.
        patch_size: side of a patch in pixels.
    """

    def __init__(self, clip: open_clip.CLIP, architecture: Architecture) -> None:
        super().__init__()
        config = architecture.config
        self.visual = VisionTower(clip.visual)
        self.text = TextTower(clip)
        self.vision_width: int = config["vision_cfg"]["width"]
        self.text_width: int = config["text_cfg"]["width"]
        self.joint_dim: int = config["embed_dim"]
        self.blocks: int = config["vision_cfg"]["layers"]
        self.patch_size: int = config["vision_cfg"]["patch_size"]
        self._tokenizer = _tokenizer(architecture)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Token ids (n, context length) on the device of the text tower."""
        tokens: Tensor = self._tokenizer(list(sentences))
        return tokens.to(self.text.positional_embedding.device)


def build_backbone(
    architecture: Architecture, state: Mapping[str, Tensor], *, quick_gelu: bool
) -> Backbone:
    """Build the towers around `state`, frozen, in evaluation mode and float32, on the CPU.

    The activation is the caller's choice, not open_clip's: MoECLIP's authors run OpenAI's weights
    with exact GELU although those were trained with QuickGELU.

    Args:
        architecture: what the weights belong to.
        state: tensors by open_clip's names, in any floating-point type.
        quick_gelu: QuickGELU in both towers instead of GELU.

    Raises:
        ModelError: if the weights do not fit the architecture.
    """
    config = architecture.config
    # Built without memory, since every tensor is about to be replaced: ViT-L's random
    # initialisation would take longer than reading its weights.
    with torch.device("meta"):
        clip = open_clip.CLIP(
            config["embed_dim"], config["vision_cfg"], config["text_cfg"], quick_gelu=quick_gelu
        )
    if "visual.conv1.weight" not in state:
        clip.visual.conv1 = ConvStem.from_state(state)
    clip.visual.patch_dropout = nn.Identity()
    wanted = {name for name in clip.state_dict() if name not in _UNUSED}
    floats = {name: tensor.float() for name, tensor in state.items() if name in wanted}
    missing = sorted(wanted - floats.keys())
    unknown = sorted(state.keys() - wanted - set(_UNUSED))
    if missing or unknown:
        what = f"lack '{missing[0]}'" if missing else f"have an unknown tensor '{unknown[0]}'"
        raise ModelError(f"The backbone weights {what}: they are not those of a plain CLIP ViT.")
    try:
        clip.load_state_dict(floats, strict=False, assign=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"The backbone weights do not fit the architecture: {reason}") from error
    backbone = Backbone(clip, architecture)
    backbone.requires_grad_(False)
    return backbone.eval()


def run_block(block: nn.Module, x: Tensor, *, causal: bool = False) -> Tensor:
    """One transformer block on tokens (B, T, D), without ever materialising attention weights."""
    if not isinstance(block, ResidualAttentionBlock):
        # open_clip's custom blocks (normalised queries, scaled heads) use fused attention already.
        mask = _causal_mask(x) if causal else None
        custom: Tensor = block(x, attn_mask=mask)
        return custom
    x = x + block.ls_1(_attend(block.attn, block.ln_1(x), causal))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out


def resize_positions(positions: Tensor, grid: int) -> Tensor:
    """Positional embedding (1 + n * n, D) resized to (1 + grid * grid, D), class position kept."""
    own = round((positions.shape[0] - 1) ** 0.5)
    if own == grid:
        return positions
    plane = positions[1:].float().reshape(1, own, own, -1).permute(0, 3, 1, 2)
    plane = F.interpolate(
        plane, size=(grid, grid), mode="bicubic", antialias=True, align_corners=False
    )
    resized = plane.permute(0, 2, 3, 1).reshape(grid * grid, -1).to(positions.dtype)
    return torch.cat([positions[:1], resized])


def _attend(attention: nn.MultiheadAttention, x: Tensor, causal: bool) -> Tensor:
    """Self-attention of (B, T, D) through the fused kernel.

    `nn.MultiheadAttention` itself materialises the (B, heads, T, T) weights on its inference path.
    """
    b, t, d = x.shape
    qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = qkv.view(b, t, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    out: Tensor = attention.out_proj(y.transpose(1, 2).reshape(b, t, d))
    return out


def _causal_mask(x: Tensor) -> Tensor:
    size = x.shape[1]
    return torch.full((size, size), float("-inf"), device=x.device, dtype=x.dtype).triu(1)


def _tokenizer(architecture: Architecture) -> open_clip.SimpleTokenizer:
    if architecture.name is not None:
        return open_clip.get_tokenizer(architecture.name)
    return open_clip.SimpleTokenizer(
        context_length=architecture.config["text_cfg"]["context_length"]
    )
