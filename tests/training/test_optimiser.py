from __future__ import annotations

import torch

from moeclip_cli.model.adapters import Adapters
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.training.optimiser import AdapterAdam

CONFIG = NetworkConfig(layers=(1,), rank=2, experts=3, alpha=4.0)


def optimiser_for(adapters, **changes):
    settings = {"learning_rate": 0.1, "betas": (0.5, 0.999), "all_experts_used": False} | changes
    return AdapterAdam(adapters, **settings)


def step(adapters, adam, used):
    """One step with a gradient of 1 for everything but the experts that are not used."""
    for parameter in adapters.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.ones_like(parameter)
    for expert in set(range(CONFIG.experts)) - set(used):
        adapters.moe[0].lora_b.grad[expert] = 0
    adam.share_out_gradients()
    adam.step()
    adam.zero_grad()


def test_an_unused_expert_does_not_change():
    adapters = Adapters(CONFIG, 8, 4, 4)
    adam = optimiser_for(adapters)
    step(adapters, adam, used=[0, 1])
    moved = adapters.moe[0].lora_b.detach().clone()
    assert torch.allclose(moved[:2], torch.full_like(moved[:2], -0.1))
    assert not moved[2].any()
    step(adapters, adam, used=[2])
    # Plain Adam would carry the other two on by their averages.
    assert torch.equal(adapters.moe[0].lora_b[:2], moved[:2])
    # And it would take this for the second step of an average that began with 0.
    assert torch.allclose(adapters.moe[0].lora_b[2], torch.tensor(-0.1))


def test_with_a_loss_on_all_experts_a_missing_gradient_is_0():
    adapters = Adapters(CONFIG, 8, 4, 4)
    adam = optimiser_for(adapters, all_experts_used=True)
    step(adapters, adam, used=[0, 1, 2])
    before = adapters.moe[0].lora_b.detach().clone()
    step(adapters, adam, used=[0, 1])
    assert (adapters.moe[0].lora_b != before).all()


def test_it_equals_adam_and_clears_all_gradients():
    torch.manual_seed(0)
    adapters, twin = Adapters(CONFIG, 8, 4, 4), Adapters(CONFIG, 8, 4, 4)
    twin.load_state_dict(adapters.state_dict())
    adam = optimiser_for(adapters)
    plain = torch.optim.Adam(
        [p for p in twin.parameters() if p.requires_grad], lr=0.1, betas=(0.5, 0.999)
    )
    for number in range(3):
        for one, other in zip(adapters.parameters(), twin.parameters(), strict=True):
            if one.requires_grad:
                one.grad = torch.full_like(one, number + 1.0)
                other.grad = one.grad.clone()
        adam.share_out_gradients()
        adam.step()
        plain.step()
        adam.zero_grad()
    for name, tensor in adapters.state_dict().items():
        assert torch.allclose(tensor, twin.state_dict()[name], atol=1e-6), name
    assert all(parameter.grad is None for parameter in adapters.parameters())


def test_without_fofs_the_input_matrices_are_trained_too():
    config = NetworkConfig(layers=(1,), rank=2, experts=3, fofs=False)
    adapters = Adapters(config, 8, 4, 4)
    before = adapters.moe[0].lora_a.detach().clone()
    step(adapters, optimiser_for(adapters), used=[1])
    moved = (adapters.moe[0].lora_a != before).flatten(1).all(dim=1)
    assert moved.tolist() == [False, True, False]
