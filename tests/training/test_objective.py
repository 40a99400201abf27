from __future__ import annotations

import pytest
import torch
from support.trainings import CONFIG

from moeclip_cli.training.batch import blank_batch
from moeclip_cli.training.network import build_untrained, find_training_backbone
from moeclip_cli.training.objective import (
    Objective,
    TextReader,
    Weights,
    recompute_activations,
)


@pytest.fixture
def network(standin):
    found = find_training_backbone(None, None, standin.backbone)
    made = build_untrained(CONFIG.network, found, seed=1)
    for adapter in made.adapters.moe:
        torch.nn.init.normal_(adapter.lora_b, std=0.1)
        torch.nn.init.normal_(adapter.router)
        adapter.dropout.p = 0.0
    return made


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 3, 70, 70, generator=generator)
    masks = (torch.rand(2, 70, 70, generator=generator) > 0.8).float()
    return images, masks, torch.tensor([0, 1])


def test_blocks_before_the_first_adapter_store_no_activations(network, batch):
    read = TextReader(network)(["bolt", "nut"])
    text = network.text_features(read).detach()
    saved: list[int] = []
    counts: list[int] = []
    network.adapters.moe[0].register_forward_pre_hook(lambda *_: counts.append(len(saved)))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, id):
        network(batch[0], text)
    assert counts == [0]
    assert len(saved) > 0


def stored(network, batch):
    """Numbers that a forward pass keeps, and the gradients after it."""
    objective = Objective(network, Weights(0.01, 0.01))
    read = TextReader(network)(["bolt", "nut"])
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = objective(*batch, read)
    losses[0].backward()
    gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    return sum(kept.values()), losses.detach(), gradients


def test_recomputed_activations_are_not_stored_and_give_the_same_gradients(network, batch):
    plain = stored(network, batch)
    recompute_activations(network)
    sparing = stored(network, batch)
    assert sparing[0] < 0.7 * plain[0]
    assert torch.allclose(plain[1], sparing[1])
    assert plain[2].keys() == sparing[2].keys()
    for name, gradient in plain[2].items():
        assert torch.allclose(gradient, sparing[2][name], rtol=1e-4, atol=1e-7), name


def test_the_trained_tensors_and_no_others_have_a_gradient(network, batch):
    _, _, gradients = stored(network, batch)
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert gradients.keys() == trained
    assert all(name.startswith("adapters.") for name in trained)
    assert not any(name.endswith("lora_a") for name in trained)


def test_losses_without_weight_are_0(network, batch):
    losses = Objective(network, Weights(0.0, 0.0))(*batch, TextReader(network)(["a", "b"]))
    total, image, segmentation, balance, etf = losses.tolist()
    assert balance == etf == 0
    assert total == pytest.approx(image + segmentation)


def test_mixed_precision_keeps_router_and_similarities_in_float32(network, batch):
    read = TextReader(network)(["bolt", "nut"])
    objective = Objective(network, Weights(0.01, 0.01))
    exact = objective(*batch, read).detach()
    network.backbone.vision.to(torch.bfloat16)
    routers, texts = [], []
    with torch.autocast("cpu", torch.bfloat16):
        compared = network(batch[0], network.text_features(read).float())
        routers = [routing.probabilities.dtype for routing in compared.routing]
        texts = [compared.patches.dtype, compared.image.dtype]
        rounded = objective(*batch, read)
    assert set(routers + texts) == {torch.float32}
    assert rounded.dtype == torch.float32
    assert torch.allclose(exact, rounded.detach(), rtol=0.05)
    rounded[0].backward()
    assert network.adapters.moe[0].router.grad.dtype == torch.float32


def test_a_prompt_is_encoded_once_and_separately(network):
    read = TextReader(network)
    together = read(["bolt", "nut", "bolt"])
    assert torch.equal(together[0], together[2])
    assert torch.equal(together[1], read(["nut"])[0])
    assert not together.requires_grad
    expected = network.encode_text(["bolt", "nut"])
    assert torch.allclose(network.text_features(together[:2]), expected, atol=1e-6)


def test_the_mean_over_shares_of_a_batch_includes_the_balance_loss(network, batch):
    """As in two processes: each has its own images and the loads of both."""
    read = TextReader(network)(["bolt", "nut"])
    weights = Weights(1.0, 1.0)
    whole = Objective(network, weights)(*batch, read)
    whole[0].backward()
    expected = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()

    shares = [[part[i : i + 1] for part in (*batch, read)] for i in range(2)]
    loads = []
    for share in shares:
        Objective(network, weights, lambda load: loads.append(load) or load, 2)(*share)
    parts = [Objective(network, weights, lambda _: sum(loads), 2)(*share) for share in shares]
    assert torch.allclose(sum(parts) / 2, whole, rtol=1e-5)
    balances = [part[3].item() for part in parts]
    assert balances == pytest.approx([whole[3].item()] * 2, rel=1e-5)
    (sum(part[0] for part in parts) / 2).backward()
    for name, parameter in network.named_parameters():
        if name in expected:
            scale = float(expected[name].abs().max())
            assert torch.allclose(parameter.grad, expected[name], rtol=1e-4, atol=1e-5 * scale), (
                name
            )


def test_weighted_means_over_unequal_shares_are_the_mean_over_the_images(network):
    """As in three processes with the last three images of an epoch: two, one and a blank one."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 3, 70, 70, generator=generator)
    masks = (torch.rand(3, 70, 70, generator=generator) > 0.8).float()
    batch = images, masks, torch.tensor([0, 1, 1]), TextReader(network)(["bolt", "nut", "nut"])
    weights = Weights(1.0, 1.0)
    whole = Objective(network, weights)(*batch)
    whole[0].backward()
    expected = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()

    blank = blank_batch(70)
    shares = [
        ([part[:2] for part in batch], 2.0),
        ([part[2:] for part in batch], 1.0),
        ((blank.images, blank.masks, blank.labels, TextReader(network)(blank.prompts)), 0.0),
    ]
    loads = []
    for share, weight in shares:
        Objective(network, weights, lambda load: loads.append(load) or load, 3)(*share, weight)
    parts = [
        Objective(network, weights, lambda _: sum(loads), 3)(*share, weight)
        for share, weight in shares
    ]
    assert torch.allclose(sum(parts) / 3, whole, rtol=1e-5)
    (sum(part[0] for part in parts) / 3).backward()
    for name, gradient in expected.items():
        found, scale = dict(network.named_parameters())[name].grad, float(gradient.abs().max())
        assert torch.allclose(found, gradient, rtol=1e-4, atol=1e-5 * scale), name


def test_the_balance_loss_of_a_part_counts_by_its_images_in_all_processes(network, batch):
    read = TextReader(network)(["bolt", "nut"])
    once = Objective(network, Weights(1.0, 0.0))(*batch, read)
    twice = Objective(network, Weights(1.0, 0.0))(*batch, read, 1.0, 2.0)
    assert twice[3] == 2 * once[3] > 0
    assert torch.equal(twice[1:3], once[1:3])
