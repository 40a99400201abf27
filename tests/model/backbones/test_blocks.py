from __future__ import annotations

import pytest
import torch
from open_clip.transformer import CustomResidualAttentionBlock, ResidualAttentionBlock

from moeclip_cli.model.backbones.blocks import FusedBlock, fused

BLOCKS = {
    "plain": lambda: ResidualAttentionBlock(16, 2),
    "layer scale": lambda: ResidualAttentionBlock(16, 2, ls_init_value=0.1),
    "normalised queries": lambda: CustomResidualAttentionBlock(16, 2, qk_norm=True),
}


@pytest.fixture(params=BLOCKS)
def block(request):
    torch.manual_seed(0)
    return BLOCKS[request.param]().eval()


@torch.inference_mode()
def test_a_fused_block_computes_what_open_clips_block_does(block):
    x = torch.randn(2, 6, 16)
    mask = torch.full((6, 6), float("-inf")).triu(1)
    torch.testing.assert_close(fused(block)(x), block(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        fused(block)(x, causal=True), block(x, attn_mask=mask), atol=1e-5, rtol=1e-5
    )


@torch.inference_mode()
def test_no_token_sees_a_later_one_under_a_causal_mask(block):
    x = torch.randn(1, 6, 16)
    longer = fused(block)(x, causal=True)
    shorter = fused(block)(x[:, :4], causal=True)
    assert torch.allclose(longer[:, :4], shorter, atol=1e-6)


def test_a_plain_block_keeps_the_names_of_its_tensors():
    block = BLOCKS["layer scale"]()
    assert isinstance(fused(block), FusedBlock)
    assert fused(block).state_dict().keys() == block.state_dict().keys()
