from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from moeclip_cli.model.finite import infinite_as_nan, is_finite, too_long_as_nan, unit_vectors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_number_that_is_not_finite_is_found(dtype):
    value = torch.ones(3, 4, dtype=dtype)
    assert is_finite(value)
    for wrong in (math.nan, math.inf, -math.inf):
        value[1, 2] = wrong
        assert not is_finite(value)


def test_numbers_too_large_for_another_type_are_found():
    assert not is_finite(torch.tensor([1.0, -1e39], dtype=torch.float64), torch.float32)
    assert not is_finite(torch.tensor([7e4]), torch.float16)
    assert is_finite(torch.tensor([7e4]), torch.bfloat16)


def test_only_infinity_becomes_nan():
    value = torch.tensor([0.0, -0.0, 1e-45, 3e38, -math.inf])
    found = infinite_as_nan(value)
    assert torch.equal(found[:-1].view(torch.int32), value[:-1].view(torch.int32))
    assert found[-1].isnan()


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_unit_vectors_are_torchs_bit_for_bit_with_their_gradients(dim):
    torch.manual_seed(0)
    value = torch.randn(5, 6, 7)
    value[0] = 0
    one, other = value.clone().requires_grad_(), value.clone().requires_grad_()
    found, expected = unit_vectors(one, dim), F.normalize(other, dim=dim)
    assert torch.equal(found, expected)
    (found * value).sum().backward()
    (expected * value).sum().backward()
    assert torch.equal(one.grad, other.grad)


def test_a_length_that_overflows_is_nan_and_not_0():
    value = torch.full((2, 3), 1e30)
    value[1] = 1
    assert F.normalize(value, dim=-1)[0].eq(0).all()
    found = unit_vectors(value)
    assert found[0].isnan().all()
    assert found[1].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_only_vectors_that_are_too_long_for_a_layer_norm_become_nan(dtype):
    value = (torch.randn(4, 5, 64) * 1000).to(dtype)
    assert torch.equal(too_long_as_nan(value), value)
    if dtype != torch.float16:  # whose largest number is 65,504
        value[1, 2] *= 1e16
        assert F.layer_norm(value.float(), (64,))[1, 2].isfinite().all()
        found = too_long_as_nan(value)
        assert found.dtype == dtype
        assert found[1, 2].isnan().all()
        assert found.isfinite().sum() == found.numel() - 64
