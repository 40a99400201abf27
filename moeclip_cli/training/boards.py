"""The same numbers for TensorBoard, if it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moeclip_cli.errors import MissingExtraError
from moeclip_cli.training.run_folder import TENSORBOARD


def require_tensorboard() -> None:
    """Refuse to write for TensorBoard without it.

    Raises:
        MissingExtraError: naming the line that installs it.
    """
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            'TensorBoard is not installed: pip install "moeclip[tensorboard]", or leave out '
            "--tensorboard."
        ) from error


class Board:
    """An event file in the folder of a training.

    Args:
        folder: of the training.
        step: steps done; what an earlier session wrote of later ones is hidden.

    Raises:
        MissingExtraError: if TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / TENSORBOARD), purge_step=step + 1)

    def add(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Write numbers of one step."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.close()
