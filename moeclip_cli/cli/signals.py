"""Ctrl-C and SIGTERM from the first moment: an exit code instead of a traceback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from moeclip_cli.errors import Terminated

Handler = Callable[[int, FrameType | None], None]

# A signal does not end a pause, which therefore consists of short ones.
_STEP_SECONDS = 0.1

_IMPORT = "<frozen importlib._bootstrap>"


def interrupt(number: int, frame: FrameType | None) -> None:
    """Stop the command so that it can report which results are kept.

    During an import, the process ends immediately: modules in C can lose the exception or turn it
    into another one.

    Raises:
        KeyboardInterrupt: for SIGINT.
        Terminated: for SIGTERM.
    """
    if _imports(frame):
        end_immediately(number, frame)
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def end_immediately(number: int, frame: FrameType | None) -> None:
    """End the process with the exit code that shells give to a program that a signal ended."""
    os._exit(128 + number)


def handle(handler: Handler = interrupt) -> None:
    """Call `handler` for SIGINT and SIGTERM, unless the parent process has the signal ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


class StopRequest:
    """A handler that notes the signal, so that the command can end where it suits.

    A second signal stops the command at once.
    """

    def __init__(self) -> None:
        self._number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._number is not None:
            interrupt(number, frame)
        self._number = number

    def wait(self, seconds: float) -> bool:
        """Wait for some seconds, or until there is a signal; return True if there is one."""
        end = time.monotonic() + seconds
        while self._number is None and (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, _STEP_SECONDS))
        return self._number is not None

    def end(self) -> None:
        """Stop the command, if there was a signal.

        Raises:
            KeyboardInterrupt, Terminated: see `interrupt`.
        """
        if self._number is not None:
            interrupt(self._number, None)


@contextmanager
def noted() -> Iterator[StopRequest]:
    """Note signals during the block instead of stopping the command."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    request = StopRequest()
    handle(request)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _imports(frame: FrameType | None) -> bool:
    """Return True if a frame runs within an import."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
