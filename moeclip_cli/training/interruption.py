"""Deferral of Ctrl-C to the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from moeclip_cli.errors import Terminated


class Interruption:
    """A request to end the training.

    Attributes:
        requested: set by the first signal; a second one ends the training immediately.
    """

    def __init__(self) -> None:
        self.requested = False
        self._terminated = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Record a signal.

        Raises:
            KeyboardInterrupt: if it is the second one; `Terminated` after a SIGTERM.
        """
        self._terminated = self._terminated or number == signal.SIGTERM
        if self.requested:
            raise self.error()
        self.requested = True

    def error(self) -> KeyboardInterrupt:
        """The exception that ends the training."""
        return Terminated() if self._terminated else KeyboardInterrupt()


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Record SIGINT and SIGTERM within the block instead of acting on them.

    Outside the main thread, which alone receives signals, this does nothing.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interruption.handle) for number in signals}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
