from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.model.experts import MoEAdapter, feature_slices, fofs_matrices

CONFIG = NetworkConfig(rank=3, experts=4, top_k=2, alpha=6.0)
WIDTH = 34


def trained(config=CONFIG):
    torch.manual_seed(0)
    adapter = MoEAdapter(config, WIDTH).eval()
    for parameter in adapter.parameters():
        parameter.data = torch.randn_like(parameter)
    return adapter


def one_token(adapter, x, config=CONFIG):
    """The method's formulas, one token and one expert at a time."""
    probabilities = (adapter.router @ x).softmax(dim=0)
    chosen = probabilities.argsort(descending=True)[: config.top_k]
    weights = probabilities[chosen] / probabilities[chosen].sum()
    scale = config.alpha / config.rank
    y = sum(
        weight * scale * (adapter.lora_b[e] @ (adapter.lora_a[e] @ x))
        for weight, e in zip(weights, chosen, strict=True)
    )
    return config.mix * y * x.norm() / (y.norm() + 1e-6) + (1 - config.mix) * x


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_adapter_computes_the_formula_of_the_paper(top_k):
    config = replace(CONFIG, top_k=top_k)
    adapter = trained(config)
    x = torch.randn(2, 5, WIDTH)
    adapted, routing = adapter(x)
    for b in range(2):
        for t in range(5):
            expected = one_token(adapter, x[b, t], config)
            assert torch.allclose(adapted[b, t], expected, atol=1e-5)
    assert routing.choice.shape == (2, 5, top_k)
    assert torch.allclose(routing.probabilities.sum(dim=-1), torch.ones(2, 5))


def test_fresh_adapter_only_shrinks_its_input():
    x = torch.randn(1, 7, WIDTH)
    adapted, _ = MoEAdapter(CONFIG, WIDTH)(x)
    assert torch.allclose(adapted, 0.9 * x)


def test_a_rank_above_the_slices_of_fofs_is_refused():
    adapter = MoEAdapter(replace(CONFIG, rank=8), WIDTH)  # slices of 9, 9, 8 and 8 features
    assert torch.allclose(adapter.lora_a @ adapter.lora_a.mT, torch.eye(8), atol=1e-5)
    with pytest.raises(ModelError, match="reads 8 of the 34 features, too few for rank 9"):
        MoEAdapter(replace(CONFIG, rank=9), WIDTH)
    assert MoEAdapter(replace(CONFIG, rank=9, fofs=False), WIDTH).lora_a.shape == (4, 9, WIDTH)


def test_dropout_acts_in_training_only():
    adapter = trained(replace(CONFIG, dropout=0.5))
    x = torch.randn(1, 7, WIDTH)
    assert torch.equal(adapter(x)[0], adapter(x)[0])
    adapter.train()
    assert not torch.equal(adapter(x)[0], adapter(x)[0])


def test_feature_slices_cover_all_features_and_the_first_are_longer():
    slices = feature_slices(34, 4)
    assert [part.stop - part.start for part in slices] == [9, 9, 8, 8]
    assert [i for part in slices for i in range(34)[part]] == list(range(34))


def test_fofs_matrices_are_orthonormal_inside_and_zero_outside():
    matrices = fofs_matrices(4, 3, WIDTH)
    for matrix, part in zip(matrices, feature_slices(WIDTH, 4), strict=True):
        assert torch.allclose(matrix @ matrix.T, torch.eye(3), atol=1e-6)
        outside = matrix.clone()
        outside[:, part] = 0
        assert not outside.any()
        assert matrix[:, part].any()


@pytest.mark.parametrize("fofs", [True, False])
def test_input_matrices_are_trained_only_without_fofs(fofs):
    adapter = MoEAdapter(replace(CONFIG, fofs=fofs), WIDTH)
    assert adapter.lora_a.requires_grad is not fofs
    assert adapter.lora_b.requires_grad
    assert adapter.router.requires_grad
    assert adapter.lora_a.abs().sum() > 0


def test_an_overflow_of_the_experts_is_not_silently_left_out():
    adapter = trained()
    x = torch.randn(1, 5, WIDTH).half()
    y = torch.full((1, 5, WIDTH), 60_000.0).half()  # finite, but its length is not
    assert adapter.blend(x, y).isnan().all()
    assert adapter.blend(x.float(), y.float()).isfinite().all()
