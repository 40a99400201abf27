"""The modules of a plain CLIP ViT, under the names that open_clip gives their tensors.

The built-in model is made of these: open_clip has the same modules, but its import takes longer
than PyTorch's. Projections that MoECLIP does not use are left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from moeclip_cli.model.backbones.family import Activation

_TEXT_MLP_RATIO = 4


class QuickGELU(nn.Module):
    """The approximation of GELU that OpenAI's models were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x * torch.sigmoid(1.702 * x)


class PlainClip(nn.Module):
    """The towers, to be filled with weights and run by `ClipVision` and `ClipText`.

    Args:
        config: `vision_cfg` and `text_cfg`, as `read_shapes` returns them.
        patch_embedding: from images (B, 3, S, S) to (B, D, g, g).
        activation: of all towers.
    """

    def __init__(
        self, config: Mapping[str, Any], patch_embedding: nn.Module, activation: Activation
    ) -> None:
        super().__init__()
        self.visual = PlainVisual(config["vision_cfg"], patch_embedding, activation)
        text = config["text_cfg"]
        if text is None:
            return
        width = text["width"]
        # Drawing normal numbers on the meta device would import PyTorch's compiler.
        embedding = torch.empty(text["vocab_size"], width)
        self.token_embedding = nn.Embedding.from_pretrained(embedding)
        self.positional_embedding = nn.Parameter(torch.empty(text["context_length"], width))
        self.transformer = _Transformer(
            width, text["layers"], text["heads"], width * _TEXT_MLP_RATIO, activation
        )
        self.ln_final = nn.LayerNorm(width)


class PlainVisual(nn.Module):
    """The vision tower, see `PlainClip`."""

    def __init__(
        self, config: Mapping[str, Any], patch_embedding: nn.Module, activation: Activation
    ) -> None:
        super().__init__()
        width = config["width"]
        grid = config["image_size"] // config["patch_size"]
        self.conv1 = patch_embedding
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(grid * grid + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = _Transformer(
            width,
            config["layers"],
            width // config["head_width"],
            int(width * config["mlp_ratio"]),
            activation,
        )
        self.ln_post = nn.LayerNorm(width)


class _Transformer(nn.Module):
    def __init__(
        self, width: int, layers: int, heads: int, mlp_width: int, activation: Activation
    ) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            PlainBlock(width, heads, mlp_width, activation) for _ in range(layers)
        )


class PlainBlock(nn.Module):
    """The parts of a transformer block, which `FusedBlock` runs."""

    def __init__(self, width: int, heads: int, mlp_width: int, activation: Activation) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ls_1 = nn.Identity()
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, mlp_width),
                gelu=QuickGELU() if activation == "quick_gelu" else nn.GELU(),
                c_proj=nn.Linear(mlp_width, width),
            )
        )
        self.ls_2 = nn.Identity()
