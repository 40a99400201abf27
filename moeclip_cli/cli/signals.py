"""Ctrl-C and SIGTERM from the first moment: an exit code instead of a traceback."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from moeclip_cli.errors import Terminated

Handler = Callable[[int, FrameType | None], None]

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


def _imports(frame: FrameType | None) -> bool:
    """Return True if a frame runs within an import."""
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
