from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from moeclip_cli.model.backbones import attention

HEADS = 3


@pytest.fixture
def qkv():
    return torch.randn(2, 17, 3 * HEADS * 8, generator=torch.Generator().manual_seed(0))


def exact(qkv):
    q, k, v = qkv.double().view(2, 17, 3, HEADS, 8).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 17, HEADS * 8)


@pytest.mark.parametrize("plain", [False, True])
def test_both_kernels_agree_in_bfloat16(qkv, plain, monkeypatch):
    calls = []
    by_head = attention.head_by_head
    monkeypatch.setattr(attention, "_has_bfloat16_without_tiles", lambda: plain)
    monkeypatch.setattr(attention, "head_by_head", lambda *a: calls.append(1) or by_head(*a))
    rounded = qkv.bfloat16()
    with torch.inference_mode():
        found = attention.attend(rounded, HEADS)
    assert found.dtype == torch.bfloat16
    assert bool(calls) == plain
    torch.testing.assert_close(found.double(), exact(rounded), atol=0.02, rtol=0.02)


def test_plain_products_are_exact_in_float32(qkv):
    q, k, v = qkv.view(2, 17, 3, HEADS, 8).permute(2, 0, 3, 1, 4)
    found = attention.head_by_head(q, k, v)
    torch.testing.assert_close(found.double(), exact(qkv), atol=1e-6, rtol=1e-5)


def test_gradients_flow_in_bfloat16(qkv, monkeypatch):
    monkeypatch.setattr(attention, "_has_bfloat16_without_tiles", lambda: True)
    rounded = qkv.bfloat16().requires_grad_()
    attention.attend(rounded, HEADS).float().square().sum().backward()
    assert rounded.grad is not None
    assert rounded.grad.abs().sum() > 0
