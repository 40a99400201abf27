"""What is done with each inspected picture: move it, tell others, run a command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.verdicts import ANOMALOUS, NORMAL, UNSURE
from moeclip_cli.watch.arrivals import done_names
from moeclip_cli.watch.delivery import Delivery
from moeclip_cli.watch.hook import Hook
from moeclip_cli.watch.in_hand import InHand
from moeclip_cli.watch.moving import free_path, move
from moeclip_cli.watch.outbox import Message
from moeclip_cli.watch.picture import Picture

UNREADABLE = "unreadable"
FOLDERS = {NORMAL: "good", UNSURE: "unsure", ANOMALOUS: "bad"}


@dataclass
class Actions:
    """The actions of a watch.

    Attributes:
        say: called with a sentence about an action that failed.
        tell: called with the event of each picture.
        move_to: folder with `good`, `unsure`, `bad` and `unreadable`; None to leave pictures where
            they are.
        hook: command to run.
        deliveries: webhook and MQTT broker.
        not_moved: number of pictures that could not be moved.
        failed_hooks: number of pictures whose command failed.
    """

    say: Callable[[str], None]
    tell: Callable[[Mapping[str, Any]], None]
    move_to: Path | None = None
    hook: Hook | None = None
    deliveries: Sequence[Delivery] = ()
    not_moved: int = 0
    failed_hooks: int = 0

    def destination(self, picture: Picture, event: Mapping[str, Any]) -> str | None:
        """The path that a picture goes to, if it is moved."""
        if self.move_to is None:
            return None
        folder = UNREADABLE if event["error"] is not None else FOLDERS[event["verdict"]]
        return str(free_path(self.move_to / folder, picture, event["id"][:8]))

    def perform(self, in_hand: InHand, path: Path) -> None:
        """Do everything with a picture whose row is on the disk.

        Args:
            in_hand: the picture.
            path: where it was found.

        Raises:
            UsageError: if a message cannot be kept for delivery.
        """
        if in_hand.destination is not None:
            in_hand = self._moved(in_hand, path, Path(in_hand.destination))
        self.tell(in_hand.event)
        if self.hook is not None and (failure := self.hook.run(in_hand.event)):
            self.failed_hooks += 1
            self.say(f"{path}: the hook {failure}.")
        for delivery in self.deliveries:
            message = Message(in_hand.event["id"], json.dumps(in_hand.event))
            delivery.add(in_hand.number, message)

    def counts(self) -> dict[str, int]:
        """Numbers for the summary, by what they count."""
        found = {"not moved": self.not_moved, "failed hooks": self.failed_hooks}
        for delivery in self.deliveries:
            found |= delivery.counts()
        return found

    def _moved(self, in_hand: InHand, path: Path, destination: Path) -> InHand:
        try:
            if move(path, in_hand.picture, destination):
                for name in done_names(path.name):
                    with suppress(OSError):  # it would stand for the next picture of this name
                        path.with_name(name).unlink(missing_ok=True)
                return in_hand.moved(destination)
            problem = "it was removed or changed"
        except UsageError as error:
            problem = str(error)
        except OSError as error:
            problem = error.strerror or str(error)
        self.not_moved += 1
        self.say(f"{path} cannot be moved to {destination}: {problem}")
        return in_hand


def moved_folders(move_to: Path) -> list[Path]:
    """The folders that pictures are moved to."""
    return [move_to / name for name in (*FOLDERS.values(), UNREADABLE)]
