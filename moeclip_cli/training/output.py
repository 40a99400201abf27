"""What the main process of a training writes besides its state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from moeclip_cli.checkpoints.checkpoint import write_checkpoint
from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.reports.files import write_errors
from moeclip_cli.training.boards import Board
from moeclip_cli.training.metrics_file import MetricsFile
from moeclip_cli.training.objective import PARTS
from moeclip_cli.training.run_folder import METRICS_FILE, VALIDATION_FILE
from moeclip_cli.training.validation import Validation

_MEASURED = ("image_auroc", "pixel_auroc", "pixel_ap", "threshold")


class Output:
    """Tables, TensorBoard and checkpoints of one training.

    Args:
        folder: of the training.
        step: steps done; rows of later ones are removed.
        validated: the step of the last validation that counts; None without validation.
        tensorboard: whether to write for TensorBoard too.

    Raises:
        UsageError: if the tables cannot be written.
        MissingExtraError: if TensorBoard is wanted but not installed.
    """

    def __init__(
        self, folder: Path, step: int, validated: int | None, *, tensorboard: bool
    ) -> None:
        losses = ("epoch", "learning_rate", "images_per_second", *PARTS)
        self._metrics = MetricsFile(folder / METRICS_FILE, losses, keep_until=step)
        self._validation = None
        if validated is not None:
            columns = ("epoch", *_MEASURED)
            self._validation = MetricsFile(folder / VALIDATION_FILE, columns, keep_until=validated)
        self._board = Board(folder, step) if tensorboard else None

    def log(
        self, step: int, epoch: int, losses: Mapping[str, float], pace: Mapping[str, float]
    ) -> None:
        """Write the mean losses since the last row, learning rate and speed."""
        self._metrics.add(step, {"epoch": epoch, **pace, **losses})
        if self._board is not None:
            self._board.add(step, "loss", losses)
            self._board.add(step, "training", pace)

    def log_validation(self, step: int, epoch: int, validation: Validation) -> None:
        """Write what was measured after a step."""
        values = {name: getattr(validation, name) for name in _MEASURED}
        if self._validation is not None:
            self._validation.add(step, {"epoch": epoch, **values})
        if self._board is not None:
            defined = {name: value for name, value in values.items() if value is not None}
            self._board.add(step, "validation", defined)

    def write_model(
        self, path: Path, config: CheckpointConfig, tensors: Mapping[str, Tensor]
    ) -> None:
        """Write a checkpoint in one step; its folder is made."""
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(path, config, tensors)

    def close(self) -> None:
        """Write what is waiting."""
        if self._board is not None:
            self._board.close()
