from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support.trainings import CONFIG

from moeclip_cli.training.learner import build_learner
from moeclip_cli.training.network import build_untrained, find_training_backbone
from moeclip_cli.training.objective import Recomputed


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_only_the_frozen_tower_has_the_precision_of_the_training(standin, precision, dtype):
    backbone = find_training_backbone(None, None, standin.backbone)
    network = build_untrained(CONFIG.network, backbone, 0)
    learner = build_learner(replace(CONFIG, precision=precision), network, torch.device("cpu"))
    assert {p.dtype for p in network.backbone.vision.parameters()} == {dtype}
    assert {p.dtype for p in network.adapters.parameters()} == {torch.float32}
    trained = {id(p) for p in learner.objective.parameters() if p.requires_grad}
    assert trained == {id(p) for p in network.adapters.parameters() if p.requires_grad}


@pytest.mark.parametrize("recomputed", [False, True])
def test_activations_are_recomputed_on_request(standin, recomputed):
    backbone = find_training_backbone(None, None, standin.backbone)
    network = build_untrained(CONFIG.network, backbone, 0)
    config = replace(CONFIG, checkpoint_activations=recomputed)
    build_learner(config, network, torch.device("cpu"))
    blocks = network.backbone.vision.blocks
    assert any(isinstance(block, Recomputed) for block in blocks) is recomputed
