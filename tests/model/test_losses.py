from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.experts import MoEAdapter
from moeclip_cli.model.losses import (
    balance_loss,
    dice_loss,
    etf_loss,
    expert_load,
    focal_loss,
    segmentation_loss,
)

WIDTH = 32


def adapter(*, zero=False, **changes):
    torch.manual_seed(3)
    made = MoEAdapter(NetworkConfig(dropout=0.0, rank=4, alpha=8.0, **changes), WIDTH)
    if not zero:
        torch.nn.init.normal_(made.lora_b, std=0.1)
    torch.nn.init.normal_(made.router)
    return made


def full_outputs_etf(routing, made):
    """The paper's words: every expert's output, normalised, against the frame."""
    outputs = made.scale * torch.einsum("btkr,kdr->btkd", routing.low_rank, made.lora_b)
    unit = F.normalize(outputs, dim=-1, eps=1e-6)
    gram = unit @ unit.transpose(-1, -2)
    experts = gram.shape[-1]
    frame = torch.full((experts, experts), -1 / (experts - 1)).fill_diagonal_(1)
    return F.mse_loss(gram, frame.expand_as(gram))


def test_etf_equals_that_of_the_full_outputs_with_its_gradients():
    made = adapter()
    made.lora_b.data[1] = 0  # an expert without output
    made.lora_b.data[2] *= 1e-9  # one whose outputs are shorter than the smallest divisor
    tokens = torch.randn(2, 5, WIDTH)
    tokens[0, 0] = 0  # a token without output
    losses, gradients = [], []
    for loss in (etf_loss, full_outputs_etf):
        x = tokens.clone().requires_grad_()
        losses.append(loss(made(x)[1], made))
        gradients.append(torch.autograd.grad(losses[-1], [x, made.lora_b]))
    assert torch.allclose(*losses, rtol=1e-5)
    for ours, full in zip(*gradients, strict=True):
        # Shrunk outputs have gradients in proportion to 1e6; compare each on its own scale.
        assert torch.allclose(ours, full, rtol=1e-3, atol=1e-5 * float(full.abs().max()))


def test_etf_of_untrained_experts_is_finite_and_has_no_gradient():
    made = adapter(zero=True)
    loss = etf_loss(made(torch.randn(1, 3, WIDTH))[1], made)
    loss.backward()
    # All inner products are 0: off by 1 on the diagonal and by 1/3 beside it.
    assert loss.item() == pytest.approx((4 * 1 + 12 / 9) / 16)
    assert made.lora_b.grad.abs().max() == 0


def test_etf_never_makes_outputs_of_full_width():
    made = adapter()
    made(torch.randn(2, 50, WIDTH))
    routing = made(torch.randn(2, 50, WIDTH))[1]
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, id):
        etf_loss(routing, made)
    assert max(saved) < 2 * 50 * made.lora_b.shape[0] * WIDTH


def test_balance_is_the_squared_coefficient_of_variation():
    load = torch.tensor([1.0, 2.0, 3.0, 6.0], requires_grad=True)
    expected = (load.std() / (load.mean() + 1e-6)) ** 2
    assert balance_loss(load).item() == pytest.approx(expected.item())
    even = torch.full((4,), 2.0, requires_grad=True)
    balance_loss(even).backward()
    assert torch.equal(even.grad, torch.zeros(4))
    assert balance_loss(torch.ones(1)) == 0


def test_loads_of_a_batch_in_parts_add_up():
    made, tokens = adapter(), torch.randn(4, 5, WIDTH)
    parts = [expert_load(made(part)[1]) for part in tokens.split(2)]
    assert torch.allclose(sum(parts), expert_load(made(tokens)[1]), atol=1e-5)


def test_focal_and_dice_follow_the_papers_formulas():
    torch.manual_seed(1)
    similarity = 5 * torch.randn(3, 2, 16, 2)
    mask = (torch.rand(2, 10, 10) > 0.7).float()
    mask[1] = 0
    expected = 0.0
    for one_map in similarity:
        planes = one_map.transpose(1, 2).unflatten(-1, (4, 4))
        planes = F.interpolate(planes, size=(10, 10), mode="bilinear", align_corners=True)
        normal, abnormal = planes.softmax(dim=1).unbind(dim=1)
        one_hot = torch.stack([1 - mask, mask], dim=1).clamp(1e-5, 1 - 1e-5)
        p = (one_hot * torch.stack([normal, abnormal], dim=1)).sum(dim=1) + 1e-5
        expected += (-((1 - p) ** 2) * p.log()).mean()
        for probability, truth in ((normal, 1 - mask), (abnormal, mask)):
            both = (probability * truth).sum(dim=(1, 2))
            sizes = probability.sum(dim=(1, 2)) + truth.sum(dim=(1, 2))
            expected += (1 - (2 * both + 1) / (sizes + 1)).mean()
    assert segmentation_loss(similarity, mask).item() == pytest.approx(expected.item(), rel=1e-5)


def test_losses_stay_finite_where_the_network_is_certain_and_wrong():
    mask = torch.zeros(1, 8, 8)
    similarity = torch.zeros(1, 1, 16, 2)
    similarity[..., 1] = 200.0
    similarity.requires_grad_()
    segmentation_loss(similarity, mask).backward()
    assert similarity.grad.isfinite().all()
    right = torch.ones(1, 8, 8)
    assert focal_loss(right).item() == pytest.approx(0, abs=1e-6)
    assert dice_loss(right, mask).item() == pytest.approx(0, abs=1e-6)
