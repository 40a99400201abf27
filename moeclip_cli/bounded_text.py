"""Text of unknown origin within bounds: small files, TOML, and names in messages."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.toml import tomllib

MEGABYTE = 1_000_000

# Time and memory of the parser grow with the square of the parts of a dotted key.
_MOST_DOTS = 50
_LONGEST_PATH = 500


def shortened(text: object, longest: int = 80) -> str:
    """A text of any length for a message: its start and "..." if it is longer than `longest`."""
    shown = str(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def require_regular_file(path: Path) -> None:
    """Refuse a pipe, socket or device: reading it could wait forever or never end.

    Raises:
        OSError: if there is no such path, or it is not a regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder fails with a reason
        raise OSError("it is a pipe, socket or device, not a regular file")


def read_small_text(path: Path, what: str, *, limit: int = 10 * MEGABYTE) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        what: kind of file, for messages, such as "profile".
        limit: the largest accepted size in bytes.

    Raises:
        UsageError: if the file cannot be read, is not a regular file or is too large.
        UnicodeDecodeError: if its content is not UTF-8.
    """
    shown = shortened(path, _LONGEST_PATH)
    try:
        require_regular_file(path)
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"Cannot read the {what} {shown}: {reason}.") from error
    if len(content) > limit:
        raise UsageError(
            f"Cannot read the {what} {shown}: it is larger than {limit // MEGABYTE} MB."
        )
    return content.decode("utf-8-sig")


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML in time and memory proportional to the length of the text.

    Raises:
        ValueError: if the text is invalid, or nested deeper than any real settings.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"line {number} has more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
