"""The picture in hand: what a restart needs to finish it, whenever the process was killed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.files import is_present, replacing, write_errors
from moeclip_cli.inspection.result import COLUMNS, Row
from moeclip_cli.runs.input_log import InputRecord
from moeclip_cli.watch.picture import Picture

IN_HAND = "in-hand.json"


@dataclass(frozen=True)
class InHand:
    """A picture that was inspected, and what is still to be done with it.

    Attributes:
        number: number of rows before its own.
        event: what is told about it: the fields of `Result.to_dict`, `id`, `time`, `moved_to`.
        record: the entry in the log of inputs.
        picture: the picture.
        destination: the path that it is moved to, if it is.
    """

    number: int
    event: dict[str, Any]
    record: InputRecord
    picture: Picture
    destination: str | None = None

    @property
    def row(self) -> Row:
        """The row of the picture."""
        return Row(**{name: self.event[name] for name in COLUMNS})

    def moved(self, destination: Path | None) -> InHand:
        """The same after the picture was moved."""
        moved_to = None if destination is None else str(destination)
        return replace(self, event={**self.event, "moved_to": moved_to})

    def write(self, folder: Path) -> None:
        """Keep it in the output folder durably.

        Raises:
            UsageError: if the file cannot be written.
        """
        with replacing(folder / IN_HAND, durable=True) as stream:
            stream.write(json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, folder: Path) -> InHand | None:
        """The picture that a killed process had in hand, if any.

        Raises:
            UsageError: if the file is damaged.
        """
        path = folder / IN_HAND
        if not is_present(path):
            return None
        try:
            content = json.loads(path.read_bytes())
            content["record"] = InputRecord(**content["record"])
            content["picture"] = Picture(**content["picture"])
            return cls(**content)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageError(
                f"{path} is damaged; remove it. Its picture may lack a row, or may not have been "
                "moved."
            ) from error


def forget(folder: Path) -> None:
    """Remove the file, after everything was done.

    Raises:
        UsageError: if it cannot be removed.
    """
    with write_errors(folder):
        (folder / IN_HAND).unlink(missing_ok=True)
