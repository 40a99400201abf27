"""The state of a training: a killed run resumes from it bit for bit.

Every random number of a training depends only on the seed and the number of the step, epoch or
image: the order of the images, their augmentation, generated images, dropout. So does the learning
rate. Tensors, the optimiser's averages and the number of steps are therefore the whole state; no
state of a random number generator has to be saved.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moeclip_cli.checkpoints.torch_file import read_torch_file
from moeclip_cli.errors import ModelError
from moeclip_cli.files import replacing

# 2: the last, smaller batch of an epoch is kept, and augmentation takes the nearest pixel. A state
# of format 1 would go on with other images.
_FORMAT = 2


@dataclass
class TrainingState:
    """The state of a training after a number of steps.

    The fields are the entries of the file; adding, removing or renaming one requires a new format.

    Attributes:
        step: number of completed steps.
        adapters: state dict of the adapters.
        optimiser: state dict of the optimiser.
        scaler: state dict of the gradient scaler, empty without one.
        recent: sums of the losses since the last row of metrics.csv.
        recent_steps: number of steps in these sums.
        validated: step after which the last epoch ended, with or without validation.
        best_measure: measure of the best validation, None before the first one.
        best_epoch: epoch of the best validation.
    """

    step: int
    adapters: dict[str, Tensor]
    optimiser: dict[str, Any]
    scaler: dict[str, Any] = field(default_factory=dict)
    recent: list[float] = field(default_factory=list)
    recent_steps: int = 0
    validated: int = 0
    best_measure: float | None = None
    best_epoch: int | None = None

    def add(self, losses: Sequence[float]) -> None:
        """Count a completed step and its losses."""
        self.step += 1
        self.recent = [total + loss for total, loss in zip(self.recent, losses, strict=True)]
        self.recent_steps += 1

    def pop_mean_losses(self) -> list[float]:
        """The mean losses since the last call, which start again from 0."""
        means = [total / self.recent_steps for total in self.recent]
        self.recent, self.recent_steps = [0.0] * len(self.recent), 0
        return means


def write_state(path: Path, state: TrainingState) -> None:
    """Write a state, atomically: an earlier file stays intact until it is replaced.

    Raises:
        UsageError: if it cannot be written.
    """
    write_torch_file(path, {"format": _FORMAT, **vars(state)})


def write_torch_file(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values, atomically, in a form that weights-only loading reads.

    Raises:
        UsageError: if it cannot be written.
    """
    # In memory first: on a full disk torch's writer does not raise an `OSError`.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with replacing(path, durable=True) as stream:
        stream.write(buffer.getbuffer())


def read_state(path: Path) -> TrainingState:
    """Read a state, by weights-only loading.

    Raises:
        ModelError: if the file is corrupt, or is not a state of this format.
    """
    content = read_torch_file(path)
    names = {entry.name for entry in fields(TrainingState)}
    if content.pop("format", None) != _FORMAT or content.keys() != names:
        raise ModelError(
            f"{path} is not the state of a training that this moeclip can resume; use the version "
            "that wrote it, or train again with `overwrite`."
        )
    return TrainingState(**content)
