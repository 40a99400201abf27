from __future__ import annotations

from pathlib import Path

import pytest
import torch

from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.errors import ModelError

FILE = Path("file.pth")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_tensors_pass_unchanged(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[1.0, -2.0]], dtype=dtype)
    checked = check_tensors({"w": tensor}, FILE)
    assert torch.equal(checked["w"], tensor)
    assert checked["w"].dtype is dtype


def test_a_parameter_loses_its_gradient() -> None:
    checked = check_tensors({"w": torch.nn.Parameter(torch.ones(2))}, FILE)
    assert not checked["w"].requires_grad


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (torch.tensor([1.0, float("nan"), 2.0]), "'bad' in file.pth contains NaN or infinite"),
        (torch.tensor([[0.0, float("-inf")]], dtype=torch.bfloat16), "NaN or infinite"),
        (torch.tensor(float("nan")), "NaN or infinite"),
        (torch.tensor([float("inf")], dtype=torch.float16), "NaN or infinite"),
        (torch.tensor([1e39], dtype=torch.float64), "contains numbers too large for float32"),
        (torch.tensor([-1e300], dtype=torch.float64), "contains numbers too large for float32"),
        (torch.empty(0, 3), "'bad' in file.pth is empty"),
        (torch.tensor([1, 2]), "'bad' in file.pth has type int64"),
        (torch.tensor([True]), "has type bool"),
        (torch.ones(2, dtype=torch.complex64), "has type complex64"),
        (torch.eye(2).to_sparse(), "'bad' in file.pth is not a dense"),
        (torch.empty(2, device="meta"), "not a dense"),
        (torch.ones(1).expand(10**12), "'bad' in file.pth claims more numbers"),
        ("text", "'bad' in file.pth is a str, not a tensor"),
        ({"nested": torch.ones(1)}, "is a dict, not a tensor"),
        (None, "is a NoneType, not a tensor"),
    ],
)
def test_anything_else_is_named_and_refused(value: object, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        check_tensors({"good": torch.ones(1), "bad": value}, FILE)


def test_a_file_of_too_many_tensors_is_refused() -> None:
    with pytest.raises(ModelError, match="contains 10,001 tensors, more than any network has"):
        check_tensors({str(number): None for number in range(10_001)}, FILE)


def test_a_long_name_is_shortened() -> None:
    with pytest.raises(ModelError, match=r"^Tensor 'x{77}\.\.\.' in file.pth is empty\.$"):
        check_tensors({"x" * 1_000_000: torch.empty(0)}, FILE)
