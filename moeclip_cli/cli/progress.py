"""Progress on standard error: a live bar in a terminal, otherwise a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from moeclip_cli.cli import console
from moeclip_cli.cli.console import LINE_EVERY_S

# The images of a batch are finished at about the same time.
_FIRST_BATCH_S = 0.5


# Label, number of finished items, number of all items if it is known, and details such as the pace.
Show: TypeAlias = Callable[[str, int, int | None, str], None]


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
            # Rich's own colour is a red, which is that of anomalous images.
            BarColumn(bar_width=20, complete_style="cyan", pulse_style="cyan"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[details]}"),
        )
        # Results in the same terminal appear above the bar; results in a pipe are not touched.
        shared = sys.stdout.isatty()
        with (
            Progress(*columns, console=stderr, transient=True, redirect_stdout=shared) as bars,
            console.live(stderr),
        ):
            task = bars.add_task("", total=None, details="")

            def show(label: str, done: int, total: int | None, details: str) -> None:
                bars.update(task, description=label, completed=done, total=total, details=details)

            yield show


class _Lines:
    """Prints the position every 30 s."""

    def __init__(self) -> None:
        self._printed = time.monotonic()

    def show(self, label: str, done: int, total: int | None, details: str) -> None:
        now = time.monotonic()
        if now - self._printed < LINE_EVERY_S:
            return
        self._printed = now
        position = str(done) if total is None else f"{done} of {total}"
        print(f"{label}: {position}{details and ', '}{details}", file=sys.stderr)


@contextmanager
def meter(
    total: int | None, *, quiet: bool, label: str = "Scoring", work: float | None = None
) -> Iterator[Callable[..., None]]:
    """Yield a function to call after each image; with `earlier=True` for one that was done before.

    Args:
        total: number of images, if it is known.
        quiet: show nothing.
        label: name of the activity.
        work: sum of what the function is given for each image, for the time left where images
            differ; by default each counts as one.
    """
    with progress(quiet=quiet) as show:
        pace = _Pace()
        whole = total if work is None else work

        def advance(amount: float = 1, *, earlier: bool = False) -> None:
            if earlier:
                pace.skip(amount)
                return
            details = ""
            if pace.count(amount):
                details = f"{pace.rate:.2f} images/s"
                if whole is not None and pace.work_rate > 0:
                    left = console.duration(max(whole - pace.work, 0) / pace.work_rate)
                    details += f", {left} left"
            show(label, pace.done, total, details)

        yield advance


class _Pace:
    """Images per second since the first ones were finished; the wait for them is the start.

    Attributes:
        done: number of images.
        work: the sum of their work.
        rate: images per second.
        work_rate: work per second.
    """

    def __init__(self) -> None:
        self.done, self.work = 0, 0.0
        self.rate = self.work_rate = 0.0
        self._first: float | None = None
        self._since, self._before = 0.0, (0, 0.0)

    def skip(self, amount: float) -> None:
        """Count an image that was done before; call it for all such images first."""
        self.done += 1
        self.work += amount

    def count(self, amount: float) -> bool:
        """Count an image; False while the rates are not known."""
        now = time.monotonic()
        self.done += 1
        self.work += amount
        if self._first is None:
            self._first = now
        if now - self._first < _FIRST_BATCH_S:
            self._since, self._before = now, (self.done, self.work)
            return False
        seconds = now - self._since
        images, work = self._before
        self.rate, self.work_rate = (self.done - images) / seconds, (self.work - work) / seconds
        return True
