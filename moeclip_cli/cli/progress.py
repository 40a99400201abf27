"""Progress on standard error: a live bar in a terminal, otherwise a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from moeclip_cli.cli import console

# Seconds between lines if standard error is not a terminal.
LINE_EVERY_S = 30.0


# Label, number of finished items, number of all items, and details such as the pace.
Show: TypeAlias = Callable[[str, int, int, str], None]


@contextmanager
def progress(*, quiet: bool) -> Iterator[Show]:
    """Yield a function that shows the position of a run.

    Args:
        quiet: show nothing.
    """
    stderr = console.stderr()
    if quiet:
        yield lambda *position: None
    elif not stderr.is_terminal:
        yield _Lines().show
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[details]}"),
        )
        # Results in the same terminal appear above the bar; results in a pipe are not touched.
        shared = sys.stdout.isatty()
        with Progress(*columns, console=stderr, transient=True, redirect_stdout=shared) as bars:
            task = bars.add_task("", total=None, details="")

            def show(label: str, done: int, total: int, details: str) -> None:
                bars.update(task, description=label, completed=done, total=total, details=details)

            yield show


class _Lines:
    """Prints the position every 30 s."""

    def __init__(self) -> None:
        self._printed = time.monotonic()

    def show(self, label: str, done: int, total: int, details: str) -> None:
        now = time.monotonic()
        if now - self._printed < LINE_EVERY_S:
            return
        self._printed = now
        print(f"{label}: {done} of {total}, {details}", file=sys.stderr)


@contextmanager
def meter(total: int, *, quiet: bool, label: str = "Scoring") -> Iterator[Callable[[], None]]:
    """Yield a function to call after each image.

    Args:
        total: number of images.
        quiet: show nothing.
        label: name of the activity.
    """
    with progress(quiet=quiet) as show:
        started, done = time.monotonic(), 0

        def advance() -> None:
            nonlocal done
            done += 1
            pace = done / max(time.monotonic() - started, 1e-9)
            left = console.duration(max(total - done, 0) / pace)
            show(label, done, total, f"{pace:.2f} images/s, {left} left")

        yield advance
