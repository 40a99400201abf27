"""An outbox on disk: messages to deliver in order, which survive restarts and power failures."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

from moeclip_cli.files import replacing, write_errors

_SUFFIX = ".json"


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        id: the same in every attempt to deliver it.
        body: its content.
    """

    id: str
    body: str


class Outbox:
    """A folder with a file for each message that was not delivered.

    One thread may add messages while another one removes them.

    Args:
        folder: the folder, which is made; messages in it are delivered first.

    Raises:
        UsageError: if the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            names = (path.stem for path in folder.glob(f"*{_SUFFIX}"))
            self._numbers = deque(sorted(int(name) for name in names if name.isdecimal()))

    def __len__(self) -> int:
        """Number of messages that were not delivered."""
        return len(self._numbers)

    def add(self, number: int, message: Message) -> None:
        """Add a message durably; adding it again changes nothing while it waits.

        Args:
            number: place of the message in the order; it must not be lower than an earlier one.
            message: the message.

        Raises:
            UsageError: if the file cannot be written.
        """
        waits = number in self._numbers
        with replacing(self._path(number), durable=True) as stream:
            stream.write(json.dumps(asdict(message)).encode())
        if not waits:
            self._numbers.append(number)

    def first(self) -> Message | None:
        """The first message; the same one until it is removed.

        Raises:
            OSError: if the file cannot be read.
        """
        while self._numbers:
            try:
                return Message(**json.loads(self._path(self._numbers[0]).read_bytes()))
            except (FileNotFoundError, ValueError, TypeError):  # removed or damaged by others
                self.remove()
        return None

    def remove(self) -> None:
        """Remove the first message.

        Raises:
            OSError: if the file cannot be removed.
        """
        self._path(self._numbers[0]).unlink(missing_ok=True)
        self._numbers.popleft()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012}{_SUFFIX}"
