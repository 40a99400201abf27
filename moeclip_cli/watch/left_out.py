"""`only-new.jsonl`: the pictures that were there before the first start, and are left alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from moeclip_cli.errors import UsageError
from moeclip_cli.files import is_present, replacing
from moeclip_cli.watch.picture import Picture

LEFT_OUT = "only-new.jsonl"


def read_left_out(folder: Path) -> Iterator[Picture] | None:
    """The pictures that an earlier start has left out; None if there was none.

    Raises:
        UsageError: if the file cannot be read or is damaged.
    """
    path = folder / LEFT_OUT
    if not is_present(path):
        return None
    try:
        with path.open("rb") as lines:
            return iter([Picture(**json.loads(line)) for line in lines])
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read; remove it to leave out what is in the folder now."
        ) from error


def write_left_out(folder: Path, pictures: Iterable[Picture]) -> None:
    """Keep the pictures for later starts.

    Raises:
        UsageError: if the file cannot be written.
    """
    with replacing(folder / LEFT_OUT, durable=True) as stream:
        for picture in pictures:
            stream.write(json.dumps(asdict(picture)).encode() + b"\n")
