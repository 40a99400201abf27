"""Hugging Face Accelerate, as the training uses it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from moeclip_cli.errors import MissingExtraError, UsageError
from moeclip_cli.inspection.device import choose_device
from moeclip_cli.training.configuration import Precision

if TYPE_CHECKING:
    from accelerate import Accelerator

# Set for every process by `accelerate launch`, torchrun and `moeclip train --processes`.
_RANK, _LOCAL_RANK, _WORLD = "RANK", "LOCAL_RANK", "WORLD_SIZE"


def is_main_process() -> bool:
    """Whether this process writes files and speaks to the user."""
    return int(os.environ.get(_RANK, 0)) == 0


def process_count() -> int:
    """How many processes train together; this one alone unless a launcher says otherwise."""
    return int(os.environ.get(_WORLD, 1))


def training_device(name: str) -> torch.device:
    """The device called `name`, or this process's GPU where several processes train.

    Raises:
        UsageError: if there is no such device.
    """
    device = choose_device(name)
    if device.type == "cuda" and process_count() > 1:
        device = choose_device(f"cuda:{int(os.environ.get(_LOCAL_RANK, 0))}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def start_engine(device: torch.device, precision: Precision, accumulate: int) -> Accelerator:
    """An accelerator for one training.

    Raises:
        MissingExtraError: if Accelerate is not installed.
        UsageError: if the device cannot compute in this precision.
    """
    require_accelerate()
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("fp16 cannot be trained on a CPU; use --precision bf16 or fp32.")
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState

    if process_count() == 1:
        # Accelerate keeps one state for the life of a process; a second training has its own.
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    return Accelerator(
        cpu=device.type == "cpu",
        device_placement=False,
        mixed_precision="no" if precision == "fp32" else precision,
        gradient_accumulation_steps=accumulate,
    )


def require_accelerate() -> None:
    """Refuse to train without Accelerate.

    Raises:
        MissingExtraError: naming the line that installs it.
    """
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'Training needs Accelerate, which is not installed: pip install "moeclip[train]".'
        ) from error


def tower_dtype(precision: Precision) -> torch.dtype:
    """The type that the frozen vision tower is kept in."""
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
