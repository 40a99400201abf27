"""Reading a list of paths from a stream, such as standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from moeclip_cli.errors import UsageError
from moeclip_cli.images.disk_list import DiskList


def read_path_list(stream: TextIO) -> DiskList:
    """Reads paths, one a line, to the end of a stream; blank lines are ignored.

    Args:
        stream: where the paths come from. Names that are not valid in the file system's encoding
            survive if it has a binary `buffer`, as standard input has.

    Raises:
        UsageError: if the paths are separated by NUL characters.
    """
    return DiskList(_paths(stream))


def _paths(stream: TextIO) -> Iterator[str]:
    raw: Iterable[bytes] | None = getattr(stream, "buffer", None)
    lines = stream if raw is None else (os.fsdecode(line) for line in raw)
    for number, line in enumerate(lines):
        if "\0" in line:
            raise UsageError(
                "The list of paths is separated by NUL characters; list one path a line, for "
                "example with find -print instead of -print0."
            )
        # Windows programs put a mark at the start.
        text = line.removeprefix("\ufeff") if number == 0 else line
        if text.strip():
            yield text.rstrip("\r\n")
