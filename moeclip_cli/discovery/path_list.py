"""Lists of paths from a stream, such as standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TextIO

from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.errors import UsageError


def read_path_list(stream: TextIO) -> DiskList:
    """Read a stream of paths, one per line, to its end; skip blank lines.

    Args:
        stream: source of the paths. Names that are invalid in the file system's encoding are
            preserved if the stream has a binary `buffer`, as standard input does.

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
                "The list of paths is separated by NUL characters; list one path per line, for "
                "example with find -print instead of -print0."
            )
        # Windows programs write a byte order mark at the start.
        text = line.removeprefix("\ufeff") if number == 0 else line
        if text.strip():
            yield text.rstrip("\r\n")
