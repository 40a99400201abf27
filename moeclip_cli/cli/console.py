"""What the command line says and where: results to standard output, all else to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from moeclip_cli.cli.tables import one_line

if TYPE_CHECKING:
    from rich.table import Table

# Without a terminal, a line of progress this often.
PLAIN_EVERY_S = 30.0
# A pipe has no width; tables keep their paths whole.
_PLAIN_WIDTH = 200


def stdout() -> Console:
    """The console for results; no colours and no wrapping at 80 columns where there is a pipe."""
    return _console(stderr=False)


def print_table(table: Table) -> None:
    """A table among the results; without the blanks behind its lines where no terminal shows it."""
    console = stdout()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def stderr() -> Console:
    """The console for progress, notes and errors."""
    return _console(stderr=True)


def note(message: str) -> None:
    """Say something that is not a result."""
    stderr().print(one_line(message), style="dim", markup=False, highlight=False, soft_wrap=True)


def warn(message: str) -> None:
    """Say something that the user should act on, but that stops nothing."""
    stderr().print(f"Warning: {one_line(message)}", style="yellow", markup=False, soft_wrap=True)


def fail(message: str) -> None:
    """Say the one sentence of an error."""
    text = Text.assemble(("Error: ", "bold red"), one_line(message))
    stderr().print(text, highlight=False, soft_wrap=True)


class Meter(Protocol):
    """Counts images while they are scored."""

    def advance(self) -> None:
        """One more is done."""


@contextmanager
def meter(total: int | None, *, quiet: bool, what: str = "Scoring") -> Iterator[Meter]:
    """Progress on standard error: a live bar in a terminal, else a line now and then.

    Args:
        total: how many images there will be, if known.
        quiet: say nothing.
        what: the verb in front of it.
    """
    console = stderr()
    if quiet:
        yield _Silent()
    elif not console.is_terminal:
        yield _Lines(total, what)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Pace(),
            TimeRemainingColumn(),
        )
        # Results that share the terminal with the bar go above it; those in a pipe are left alone.
        shared = sys.stdout.isatty()
        with Progress(
            *columns, console=console, transient=True, redirect_stdout=shared
        ) as progress:
            yield _Bar(progress, progress.add_task(what, total=total))


class _Silent:
    def advance(self) -> None:
        """Nothing to show."""


class _Bar:
    def __init__(self, progress: Progress, task: int) -> None:
        self._progress, self._task = progress, task

    def advance(self) -> None:
        self._progress.advance(self._task)  # type: ignore[arg-type]


class _Lines:
    def __init__(self, total: int | None, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._started = self._said = time.monotonic()

    def advance(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said < PLAIN_EVERY_S:
            return
        self._said = now
        pace = self._done / (now - self._started)
        of = f" of {self._total}" if self._total is not None else ""
        left = ""
        if self._total is not None:
            left = f", {duration((self._total - self._done) / pace)} left"
        print(f"{self._what}: {self._done}{of}, {pace:.2f} images/s{left}", file=sys.stderr)


class _Pace(ProgressColumn):
    def render(self, task: Task) -> Text:
        pace = task.finished_speed or task.speed
        return Text("" if pace is None else f"{pace:.1f} images/s", style="progress.data.speed")


def duration(seconds: float) -> str:
    """A time span in words, such as "2 min 5 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)
