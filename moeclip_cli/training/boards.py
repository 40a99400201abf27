"""Metrics of a training for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moeclip_cli.extras import require_extra
from moeclip_cli.training.run_folder import TENSORBOARD


class Board:
    """An event file in the folder of a training.

    Args:
        folder: output folder of the training.
        step: number of completed steps; events that an earlier session wrote later are hidden.

    Raises:
        MissingExtraError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        require_extra("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / TENSORBOARD), purge_step=step + 1)

    def add(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Write the values of one step, in a group of charts."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Write buffered events."""
        self._writer.close()
