from __future__ import annotations

import pytest
import torch

from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.config import NetworkConfig


def test_fresh_weights_at_the_shapes_of_vit_l_deviate_as_the_authors_do():
    """Xavier uniform; PyTorch's own default gives .018, .018, .021 and .33."""
    torch.manual_seed(0)
    adapters = Adapters(NetworkConfig(), vision_width=1024, text_width=768, joint_dim=768)
    expected = {
        **{f"projections.{level}.weight": 0.0334 for level in range(4)},
        "image_head.pointwise.weight": 0.0334,
        "text_layer.weight": 0.0361,
        "image_head.depthwise.weight": 0.0257,
    }
    state = adapters.state_dict()
    deviations = {name: float(state[name].std()) for name in expected}
    assert deviations == pytest.approx(expected, rel=0.02)
    # Uniform: the largest number is the deviation times the root of 3.
    for name, deviation in deviations.items():
        assert float(state[name].abs().max()) == pytest.approx(deviation * 3**0.5, rel=0.03)


def test_the_norm_of_the_image_head_starts_as_the_identity():
    head = Adapters(NetworkConfig(), vision_width=32, text_width=24, joint_dim=16).image_head
    assert torch.equal(head.norm.weight, torch.ones(32))
    assert torch.equal(head.norm.bias, torch.zeros(32))
