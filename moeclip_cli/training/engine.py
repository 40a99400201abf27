"""Hugging Face Accelerate, as the training uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from moeclip_cli.errors import MissingExtraError, UsageError
from moeclip_cli.parallel.world import process_count
from moeclip_cli.training.configuration import Precision

if TYPE_CHECKING:
    from accelerate import Accelerator


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
