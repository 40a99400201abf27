"""Console output: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moeclip_cli.cli.parameters import with_options
from moeclip_cli.cli.tables import one_line

# Seconds between lines about a long activity if standard error is not a terminal.
LINE_EVERY_S = 30.0

# A pipe has no width; this one does not break paths.
_PLAIN_WIDTH = 200


# The console of a bar or spinner that is on the screen. What another console prints would tear it.
_live: Console | None = None


def stdout() -> Console:
    """The console for results; without colours and line breaks if it is not a terminal."""
    return _live if _live is not None and sys.stdout.isatty() else _console(stderr=False)


def stderr() -> Console:
    """The console for progress, notes and errors."""
    return _live or _console(stderr=True)


@contextmanager
def live(console: Console) -> Iterator[None]:
    """Print through `console` during the block, as it has a bar or a spinner on the screen."""
    global _live
    before, _live = _live, console
    try:
        yield
    finally:
        _live = before


def plain_table(title: str | None = None) -> Table:
    """A table without borders."""
    heading = None if title is None else Text(one_line(title))
    return Table(title=heading, box=None, title_justify="left", pad_edge=False)


def print_table(table: Table) -> None:
    """Print a table to standard output; without trailing blanks if it is not a terminal."""
    console = stdout()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def note(message: str) -> None:
    """Print information that is not a result."""
    stderr().print(_clean(message), style="dim", markup=False, highlight=False, soft_wrap=True)


def warn(message: str) -> None:
    """Print a problem that does not stop the command."""
    stderr().print(f"Warning: {_clean(message)}", style="yellow", markup=False, soft_wrap=True)


def fail(message: str) -> None:
    """Print the error that stops the command."""
    text = Text.assemble(("Error: ", "bold red"), _clean(message))
    stderr().print(text, highlight=False, soft_wrap=True)


@contextmanager
def status(message: str, *, quiet: bool) -> Iterator[None]:
    """Show a spinner during the block; without a terminal, print a line every 30 s."""
    console = stderr()
    if quiet:
        yield
    elif not console.is_terminal:
        with _lines(message):
            yield
    else:
        with console.status(message), live(console):
            yield


@contextmanager
def _lines(message: str) -> Iterator[None]:
    """Print from time to time for how long the block has been running."""
    began = time.monotonic()
    ended = Event()

    def tell() -> None:
        while not ended.wait(LINE_EVERY_S):
            print(f"{message}: {duration(time.monotonic() - began)}", file=sys.stderr, flush=True)

    # A daemon, so that a second Ctrl-C does not wait for it.
    teller = Thread(target=tell, name="moeclip-status", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


@contextmanager
def note_if(
    stopped: type[BaseException] | tuple[type[BaseException], ...], message: str
) -> Iterator[None]:
    """Print a note if an exception of this type stops the block."""
    try:
        yield
    except stopped:
        note(message)
        raise


def counted(number: int, noun: str) -> str:
    """A number of things, such as "1 image" or "2 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """A time span in words, such as "2 min 5 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def rate(per_second: float) -> str:
    """A number of images a second with at least two digits that are not 0, such as "0.027"."""
    return f"{per_second:.1f}" if per_second >= 1 else f"{per_second:.2g}"


def _clean(message: str) -> str:
    return one_line(with_options(message))


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)
