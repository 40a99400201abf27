"""open_clip's transformer blocks with fused attention.

Shapes: B sequences, T tokens, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moeclip_cli.model.backbones.attention import attend
from moeclip_cli.model.backbones.plain_clip import PlainBlock

if TYPE_CHECKING:
    from open_clip.transformer import CustomResidualAttentionBlock, ResidualAttentionBlock


def fused(block: nn.Module) -> FusedBlock | CustomBlock:
    """The block with its own parameters, as a module on tokens (B, T, D) with fused attention."""
    if isinstance(block.attn, nn.MultiheadAttention):
        return FusedBlock(block)
    return CustomBlock(block)


class FusedBlock(nn.Module):
    """A plain block whose attention runs through the fused kernel.

    `nn.MultiheadAttention` itself materialises the (B, heads, T, T) weights on its inference path.
    """

    def __init__(self, block: ResidualAttentionBlock | PlainBlock) -> None:
        super().__init__()
        self.ln_1 = block.ln_1
        self.attn = block.attn
        self.ls_1 = block.ls_1
        self.ln_2 = block.ln_2
        self.mlp = block.mlp
        self.ls_2 = block.ls_2

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D); with `causal`, no token sees a later one."""
        x = x + self.ls_1(self._attend(self.ln_1(x), causal))
        out: Tensor = x + self.ls_2(self.mlp(self.ln_2(x)))
        return out

    def _attend(self, x: Tensor, causal: bool) -> Tensor:
        qkv = F.linear(x, self.attn.in_proj_weight, self.attn.in_proj_bias)
        out: Tensor = self.attn.out_proj(attend(qkv, self.attn.num_heads, causal=causal))
        return out


class CustomBlock(nn.Module):
    """One of open_clip's blocks with normalised queries or scaled heads.

    Their attention is fused already.
    """

    def __init__(self, block: CustomResidualAttentionBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """(B, T, D) to (B, T, D); with `causal`, no token sees a later one."""
        mask = None
        if causal:
            t = x.shape[1]
            mask = torch.full((t, t), float("-inf"), device=x.device, dtype=x.dtype).triu(1)
        out: Tensor = self.block(x, attn_mask=mask)
        return out
