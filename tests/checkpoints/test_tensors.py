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
    checked = check_tensors({"w": tensor, "empty": torch.empty(0, 3)}, FILE)
    assert torch.equal(checked["w"], tensor)
    assert checked["w"].dtype is dtype


def test_a_parameter_loses_its_gradient() -> None:
    checked = check_tensors({"w": torch.nn.Parameter(torch.ones(2))}, FILE)
    assert not checked["w"].requires_grad


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (torch.tensor([1.0, float("nan"), 2.0]), "'bad' in file.pth holds NaN or infinite"),
        (torch.tensor([[0.0, float("-inf")]], dtype=torch.bfloat16), "NaN or infinite"),
        (torch.tensor(float("nan")), "NaN or infinite"),
        (torch.tensor([float("inf")], dtype=torch.float16), "NaN or infinite"),
        (torch.tensor([1, 2]), "'bad' in file.pth holds int64"),
        (torch.tensor([True]), "holds bool"),
        (torch.ones(2, dtype=torch.complex64), "holds complex64"),
        (torch.eye(2).to_sparse(), "'bad' in file.pth is not an ordinary"),
        (torch.empty(2, device="meta"), "not an ordinary"),
        (torch.ones(1).expand(10**12), "'bad' in file.pth claims more numbers"),
        ("text", "'bad' in file.pth is no tensor but a str"),
        ({"nested": torch.ones(1)}, "no tensor but a dict"),
        (None, "no tensor but a NoneType"),
    ],
)
def test_anything_else_is_named_and_refused(value: object, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        check_tensors({"good": torch.ones(1), "bad": value}, FILE)
