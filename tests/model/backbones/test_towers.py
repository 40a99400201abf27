from __future__ import annotations

import torch
from support.standins import backbone_state

from moeclip_cli.model.backbones.table import build_backbone, infer_architecture


def test_prefix_tokens_come_first_and_are_cut_off():
    state = backbone_state()
    vision = build_backbone(infer_architecture(state), state, quick_gelu=False).vision
    tokens = vision.embed(torch.randn(2, 3, 70, 70))
    assert tokens.shape == (2, vision.prefix_tokens + 25, 128)
    assert torch.equal(vision.patches(tokens), tokens[:, 1:])


def test_the_type_of_a_tower_follows_its_weights():
    state = backbone_state()
    backbone = build_backbone(infer_architecture(state), state, quick_gelu=False)
    assert backbone.vision.dtype == torch.float32
    assert backbone.vision.to(torch.bfloat16).dtype == torch.bfloat16
