"""The floating-point type of a network, and float32 where rounding would change a decision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from moeclip_cli.errors import ModelError

_PLACED = "_precision"


def claim_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Note the type that a network is about to be rounded to, once and for all.

    Several inspectors may share a network, and rounding its weights would change their scores.

    Raises:
        ModelError: if the network is in use in another type.
    """
    used = network.__dict__.setdefault(_PLACED, dtype)
    if used != dtype:
        raise ModelError(
            f"This network is already in use in {_name(used)}, and {_name(dtype)} would change the "
            "scores there; load the model again."
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Context in which autocast, if mixed-precision training has it on, is off."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
