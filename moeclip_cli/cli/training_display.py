"""Progress of `moeclip train`: steps, losses, pace and validation results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moeclip_cli.cli import console
from moeclip_cli.cli.progress import progress

if TYPE_CHECKING:
    from moeclip_cli.training.monitor import TrainingProgress
    from moeclip_cli.training.validation import ValidationMetrics


@contextmanager
def training_display(*, quiet: bool) -> Iterator[Callable[[TrainingProgress], None]]:
    """Yield a function that shows the progress of a training.

    Args:
        quiet: show nothing.
    """
    with progress(quiet=quiet) as show:

        def observe(now: TrainingProgress) -> None:
            if now.validation is None:
                show(f"Epoch {now.epoch}, step", now.step, now.steps, _details(now))
            elif not quiet:
                console.note(_validated(now.epoch, now.validation))

        yield observe


def _details(now: TrainingProgress) -> str:
    losses = ", ".join(f"{name} {value:.3f}" for name, value in now.losses.items())
    left = console.duration(now.seconds_left)
    return f"{losses}; {now.images_per_second:.1f} images/s, {left} left"


def _validated(epoch: int, validation: ValidationMetrics) -> str:
    values = {
        "image AUROC": validation.image_auroc,
        "pixel AUROC": validation.pixel_auroc,
        "pixel AP": validation.pixel_ap,
    }
    shown = ", ".join(
        f"{name} {'undefined' if value is None else f'{value:.3f}'}"
        for name, value in values.items()
    )
    return f"Epoch {epoch}, on {validation.normal + validation.anomalous} held-out images: {shown}."
