"""Hugging Face Accelerate: mixed precision, accumulated gradients and several processes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from moeclip_cli.choices import Precision
from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra
from moeclip_cli.parallel.world import process_count

if TYPE_CHECKING:
    from accelerate import Accelerator

_T = TypeVar("_T")


def tower_dtype(precision: Precision) -> torch.dtype:
    """The type of the frozen vision tower's weights."""
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


class Engine:
    """The accelerator of one training, and the exchanges between its processes.

    Args:
        device: device of the network.
        precision: precision of matrix products.
        accumulate: number of parts of each step's images.

    Attributes:
        accelerator: Accelerate's.
        device: device of the network.
        processes: number of processes that train together.
        rank: number of this process, from 0.

    Raises:
        MissingExtraError: if Accelerate is not installed.
        UsageError: if the device does not support the precision.
    """

    def __init__(self, device: torch.device, precision: Precision, accumulate: int) -> None:
        require_extra("accelerate", "train")
        if precision == "fp16" and device.type == "cpu":
            raise UsageError("fp16 cannot be trained on a CPU; use `precision` bf16 or fp32.")
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        if process_count() == 1:
            # Accelerate fixes device and precision for the life of a process and has no public
            # way to change them; without this, a second training could not choose others.
            AcceleratorState._reset_state(reset_partial_state=True)
        self.accelerator: Accelerator = Accelerator(
            cpu=device.type == "cpu",
            device_placement=False,
            mixed_precision="no" if precision == "fp32" else precision,
            gradient_accumulation_steps=accumulate,
        )
        self.device = device
        self.processes = process_count()
        self.rank: int = self.accelerator.process_index

    def autocast(self) -> AbstractContextManager[object]:
        """A block in which matrix products have the training's precision."""
        context: AbstractContextManager[object] = self.accelerator.autocast()
        return context

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, without gradient."""
        total: Tensor = self.accelerator.reduce(values, reduction="sum")
        return total

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over all processes, without gradient."""
        return self.sum(values) / self.processes if self.processes > 1 else values

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is set in any process."""
        if self.processes == 1:
            return list(flags)
        total = self.sum(torch.tensor(flags, dtype=torch.float32, device=self.device))
        return [bool(value) for value in total > 0]

    def gather(self, value: _T) -> list[_T]:
        """The values of all processes by rank, in every process."""
        if self.processes == 1:
            return [value]
        from accelerate.utils import gather_object

        values: list[_T] = gather_object([value])
        return values
