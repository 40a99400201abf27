"""All that a killed run needs to go on as if nothing had happened, in one file.

What is random in a training depends on the seed and on the number of the step, epoch or image
alone: the order of the images, their augmentation, generated images, dropout. So does the learning
rate. Tensors, the optimiser's averages and the number of steps are therefore the whole state; there
are no states of generators that a missed one could spoil.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moeclip_cli.checkpoints.torch_file import read_torch_file
from moeclip_cli.errors import ModelError
from moeclip_cli.reports.files import replacing

STATE_FILE = "state.pt"
_FORMAT = 1


@dataclass
class TrainingState:
    """Where a training stands after a number of steps.

    Attributes:
        step: steps done.
        adapters: the state dict of the adapters.
        optimiser: the state dict of the optimiser.
        scaler: the state dict of the gradient scaler, empty without one.
        recent: sums of the losses since the last row of metrics.csv.
        recent_steps: how many steps they are of.
        validated: the step that the last validation followed.
        best_measure: the best validation's measure, None before the first one.
        best_epoch: the epoch that it followed.
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


def write_state(path: Path, state: TrainingState) -> None:
    """Write a state in one step: what was at `path` stays whole until it is replaced.

    Raises:
        UsageError: if it cannot be written.
    """
    write_torch_file(path, {"format": _FORMAT, **vars(state)})


def write_torch_file(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values in one step, to be read by weights-only loading.

    Raises:
        UsageError: if it cannot be written.
    """
    # First into memory: on a full disk torch's own writer fails with an error of its own kind.
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with replacing(path) as stream:
        stream.write(buffer.getbuffer())


def read_state(path: Path) -> TrainingState:
    """Read a state, by weights-only loading.

    Raises:
        ModelError: if the file is damaged or is no such state.
    """
    content = read_torch_file(path)
    names = {entry.name for entry in fields(TrainingState)}
    if content.pop("format", None) != _FORMAT or content.keys() != names:
        raise ModelError(f"{path} is not the state of a training that this moeclip can resume.")
    return TrainingState(**content)
