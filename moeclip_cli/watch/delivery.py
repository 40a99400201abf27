"""Delivery of messages in the background, in order, until each one was taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from moeclip_cli.errors import MoeclipError
from moeclip_cli.files import Closable
from moeclip_cli.watch.outbox import Message, Outbox

# Pauses after failures: they double up to a minute.
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
# At the end of a watch.
_GRACE_SECONDS = 10.0


class DeliveryError(Exception):
    """A message was not delivered; another attempt may succeed."""


class RefusedError(Exception):
    """The receiver does not want the message, and would not want it later either."""


class Sender(Protocol):
    """A way to a receiver.

    Attributes:
        name: of the way, for messages to the user.
        folder: name of the folder with messages to deliver.
    """

    name: str
    folder: str

    def send(self, message: Message) -> None:
        """Deliver a message; raises `DeliveryError` or `RefusedError`."""

    def close(self) -> None:
        """End a connection, if there is one."""


class Delivery(Closable):
    """A thread that delivers the messages of an outbox, and tries again after failures.

    A message is delivered at least once: after a kill it may be delivered again, with the same id.

    Args:
        sender: delivers a message.
        outbox: the messages.
        say: called in the thread with sentences for the user.
        first_pause: seconds until the second attempt.

    Attributes:
        failures: number of attempts that failed.
        refused: number of messages that the receiver refused.
    """

    def __init__(
        self,
        sender: Sender,
        outbox: Outbox,
        say: Callable[[str], None],
        first_pause: float = _FIRST_PAUSE_SECONDS,
    ) -> None:
        self.failures = self.refused = 0
        self._sender, self._outbox, self._say = sender, outbox, say
        self._first_pause = first_pause
        self._pause = 0.0
        self._added, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"moeclip-{sender.folder}", daemon=True
        )
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of messages that were not delivered."""
        return len(self._outbox)

    def add(self, number: int, message: Message) -> None:
        """Deliver a message; see `Outbox.add`."""
        self._outbox.add(number, message)
        self._added.set()

    def counts(self) -> dict[str, int]:
        """Numbers for the summary, by what they count."""
        name = self._sender.name
        return {
            f"failed attempts of the {name}": self.failures,
            f"messages refused by the {name}": self.refused,
            f"messages of the {name} waiting for the next start": self.waiting,
        }

    def close(self) -> None:
        """Deliver what can be delivered now, for 10 seconds at most. The rest stays on disk."""
        self._stopping.set()
        self._added.set()
        self._thread.join(_GRACE_SECONDS)

    def _run(self) -> None:
        while True:
            try:
                message = self._outbox.first()
                if message is not None:
                    self._deliver(message)
            except (DeliveryError, MoeclipError, OSError) as error:
                self._failed(error)
                if self._stopping.wait(self._pause):
                    break
                continue
            if message is None:
                if self._stopping.is_set():
                    break
                self._added.wait()
                self._added.clear()
        self._sender.close()

    def _deliver(self, message: Message) -> None:
        try:
            self._sender.send(message)
        except RefusedError as error:
            self.refused += 1
            self._say(f"The {self._sender.name} refused message {message.id}: {error}.")
        self._outbox.remove()
        if self._pause:
            self._say(f"The {self._sender.name} takes messages again; {self.waiting} wait.")
        self._pause = 0.0

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self._pause:
            self._say(f"The {self._sender.name} failed: {error}; it is tried again until it works.")
        self._pause = min(_LONGEST_PAUSE_SECONDS, 2 * self._pause or self._first_pause)
