"""What `moeclip train` shows while it trains: steps, losses, pace and measurements."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from moeclip_cli.cli import console

if TYPE_CHECKING:
    from moeclip_cli.training.trainer import Progress
    from moeclip_cli.training.validation import Validation


class Display(Protocol):
    """Shows progress while training."""

    def show(self, progress: Progress) -> None:
        """A step is done or a validation."""


@contextmanager
def training_display(quiet: bool) -> Iterator[Display]:
    """Progress on standard error: a live line in a terminal, else a line now and then.

    Args:
        quiet: say nothing.
    """
    stderr = console.stderr()
    if quiet:
        yield _Silent()
    elif not stderr.is_terminal:
        yield _Lines()
    else:
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[line]}"),
        )
        with Bars(*columns, console=stderr, transient=True) as bars:
            yield _Bar(bars, bars.add_task("", total=None, epoch=1, line=""))


class _Silent:
    def show(self, progress: Progress) -> None:
        """Nothing to show."""


class _Bar:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def show(self, progress: Progress) -> None:
        if progress.validation is not None:
            console.note(_validated(progress.epoch, progress.validation))
            return
        self._bars.update(
            self._task,
            completed=progress.step,
            total=progress.steps,
            epoch=progress.epoch,
            line=_losses(progress),
        )


class _Lines:
    def __init__(self) -> None:
        self._said: float | None = None

    def show(self, progress: Progress) -> None:
        if progress.validation is not None:
            console.note(_validated(progress.epoch, progress.validation))
            return
        now = time.monotonic()
        if self._said is not None and now - self._said < console.PLAIN_EVERY_S:
            return
        self._said = now
        console.note(
            f"Epoch {progress.epoch}, step {progress.step} of {progress.steps}: {_losses(progress)}"
        )


def _losses(progress: Progress) -> str:
    parts = ", ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
    left = console.duration(progress.seconds_left)
    return f"{parts}; {progress.images_per_second:.1f} images/s, {left} left"


def _validated(epoch: int, validation: Validation) -> str:
    measured = {
        "image AUROC": validation.image_auroc,
        "pixel AUROC": validation.pixel_auroc,
        "pixel AP": validation.pixel_ap,
    }
    shown = ", ".join(
        f"{name} {'not defined' if value is None else f'{value:.3f}'}"
        for name, value in measured.items()
    )
    return f"Epoch {epoch}, on {validation.normal + validation.anomalous} held-out images: {shown}."
