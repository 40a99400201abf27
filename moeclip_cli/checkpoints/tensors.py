"""Checks of every tensor that was read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import ModelError
from moeclip_cli.model.finite import is_finite

# The largest published CLIP has under 1,500.
_MOST_TENSORS = 10_000

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_tensors(content: Mapping[Any, object], path: Path) -> dict[str, torch.Tensor]:
    """Accept a mapping from names to tensors of numbers that float32 can hold, and nothing else.

    Args:
        content: the content of the file.
        path: the file, for messages.

    Raises:
        ModelError: if an entry is anything else, or there are more than any network has.
    """
    check_count(len(content), path)
    return {str(name): _check(str(name), value, path) for name, value in content.items()}


def check_count(tensors: int, path: Path) -> None:
    """Refuse a file of more tensors than any network has, if possible before they are read.

    Args:
        tensors: number of tensors in the file.
        path: the file, for messages.

    Raises:
        ModelError: if there are more than 10,000.
    """
    if tensors > _MOST_TENSORS:
        raise ModelError(
            f"{path} contains {tensors:,} tensors, more than any network has ({_MOST_TENSORS:,})."
        )


def _check(name: str, value: object, path: Path) -> torch.Tensor:
    name = shortened(name)
    if not isinstance(value, torch.Tensor):
        raise ModelError(f"'{name}' in {path} is a {type(value).__name__}, not a tensor.")
    if value.layout != torch.strided or value.device.type != "cpu":
        raise ModelError(f"Tensor '{name}' in {path} is not a dense CPU tensor.")
    if value.dtype not in _FLOATS:
        kind = str(value.dtype).removeprefix("torch.")
        raise ModelError(f"Tensor '{name}' in {path} has type {kind}, not a floating-point type.")
    if value.numel() == 0:
        raise ModelError(f"Tensor '{name}' in {path} is empty.")
    # A pickle can repeat a few stored numbers in a tensor larger than any memory.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise ModelError(f"Tensor '{name}' in {path} claims more numbers than the file contains.")
    value = value.detach()
    if not is_finite(value):
        raise ModelError(f"Tensor '{name}' in {path} contains NaN or infinite numbers.")
    if not is_finite(value, torch.float32):
        raise ModelError(f"Tensor '{name}' in {path} contains numbers too large for float32.")
    return value
