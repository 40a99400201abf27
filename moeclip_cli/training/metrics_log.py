"""Losses and metrics of a training, in CSV files and for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moeclip_cli.training.boards import Board
from moeclip_cli.training.metrics_file import MetricsFile
from moeclip_cli.training.objective import PARTS
from moeclip_cli.training.run_folder import METRICS_FILE, VALIDATION_FILE
from moeclip_cli.training.validation import ValidationMetrics

_MEASURED = ("image_auroc", "pixel_auroc", "pixel_ap", "threshold")


class MetricsLog:
    """The metrics files of one training.

    Args:
        folder: the output folder.
        step: number of completed steps; rows of later steps are removed.
        validated: step of the last completed validation; None without validation.
        tensorboard: whether to write event files for TensorBoard.

    Raises:
        UsageError: if a file cannot be written.
        MissingExtraError: if TensorBoard is requested but not installed.
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

    def add_losses(
        self, step: int, epoch: int, losses: Mapping[str, float], pace: Mapping[str, float]
    ) -> None:
        """Write the mean losses since the last row, learning rate and speed.

        Raises:
            UsageError: if a file cannot be written.
        """
        self._metrics.add(step, {"epoch": epoch, **pace, **losses})
        if self._board is not None:
            self._board.add(step, "loss", losses)
            self._board.add(step, "training", pace)

    def add_validation(self, step: int, epoch: int, validation: ValidationMetrics) -> None:
        """Write the metrics after a step.

        Raises:
            UsageError: if a file cannot be written.
        """
        values = {name: getattr(validation, name) for name in _MEASURED}
        if self._validation is not None:
            self._validation.add(step, {"epoch": epoch, **values})
        if self._board is not None:
            defined = {name: value for name, value in values.items() if value is not None}
            self._board.add(step, "validation", defined)

    def close(self) -> None:
        """Write buffered events."""
        if self._board is not None:
            self._board.close()
