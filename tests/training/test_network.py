from __future__ import annotations

import hashlib

import pytest
import torch
from support.trainings import CONFIG

from moeclip_cli.errors import ModelError
from moeclip_cli.training.network import build_untrained, find_training_backbone


def test_a_file_is_named_by_its_digest(standin):
    weights = find_training_backbone(None, None, standin.backbone)
    assert weights.ref.name == "backbone"
    assert weights.ref.digest == hashlib.sha256(standin.backbone.read_bytes()).hexdigest()
    assert weights.default_layers == (2, 4, 6, 8)
    assert weights.default_image_size == 518


def test_a_file_with_a_tag_is_named_by_the_tag(standin):
    weights = find_training_backbone(None, "openai", standin.backbone)
    assert (weights.ref.pretrained, weights.ref.digest) == ("openai", None)


def test_the_built_in_backbone_needs_no_tag():
    weights = find_training_backbone("moeclip-mini", None, None)
    assert (weights.ref.name, weights.ref.pretrained) == ("moeclip-mini", None)
    with pytest.raises(ModelError, match="only one set of weights; omit `pretrained`"):
        find_training_backbone("moeclip-mini", "openai", None)


def test_fresh_adapters_depend_on_the_seed_alone(standin):
    weights = find_training_backbone(None, None, standin.backbone)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    routers = [
        build_untrained(CONFIG.network, weights, seed).adapters.state_dict()["moe.0.lora_a"]
        for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(routers[0], routers[1])
    assert not torch.equal(routers[0], routers[2])
