"""Attention of every token to all tokens, by the kernel that is fastest on the device.

The fused kernel of PyTorch never stores the weights of attention. On processors that multiply
bfloat16 by AVX-512 and have no matrix units (AMX), it converts to float32 and is slower than plain
products of one head at a time, whose weights fit into the cache.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(qkv: Tensor, heads: int, *, causal: bool = False) -> Tensor:
    """Attention of every token to all tokens, or with `causal` to itself and earlier ones.

    Args:
        qkv: queries, keys and values of all heads, (B, T, 3 D).
        heads: number of heads.
        causal: whether no token sees a later one.

    Returns:
        (B, T, D).
    """
    b, t, d = qkv.shape
    q, k, v = qkv.view(b, t, 3, heads, -1).permute(2, 0, 3, 1, 4)
    if not causal and _suits_plain_products(qkv):
        return head_by_head(q, k, v)
    y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return y.transpose(1, 2).reshape(b, t, d // 3)


def head_by_head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention by plain products, without gradients.

    The weights of one head take T * T values.

    Args:
        q: queries (B, heads, T, width of a head).
        k: keys, of the same shape.
        v: values, of the same shape.

    Returns:
        (B, T, heads * width of a head).
    """
    b, heads, t, width = q.shape
    result = torch.empty(b, t, heads * width, dtype=q.dtype, device=q.device)
    parts = result.view(b, t, heads, width).transpose(1, 2)
    q = q * width**-0.5
    for image in range(b):
        for head in range(heads):
            weights = torch.mm(q[image, head], k[image, head].t()).softmax(-1)
            parts[image, head] = torch.mm(weights, v[image, head])
    return result


def _suits_plain_products(x: Tensor) -> bool:
    return (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and _has_bfloat16_without_tiles()
    )


@functools.cache
def _has_bfloat16_without_tiles() -> bool:
    """True if the processor multiplies bfloat16 by AVX-512 only.

    False where PyTorch is too old to tell (`get_capabilities` is new).
    """
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(found.get("avx512_bf16")) and not found.get("amx_bf16")
