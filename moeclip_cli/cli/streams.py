"""Standard streams that may be missing, full, closed by their reader, or narrow in encoding."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from moeclip_cli.errors import OutputClosedError, UsageError


def prepare() -> None:
    """Make the standard streams of this process safe to use.

    A missing stream becomes the null device. Standard output and standard error escape characters
    that their encoding lacks. A failure of standard output is raised once, as a `MoeclipError`. A
    failure of standard error is ignored.
    """
    _open_missing()
    sys.stdout = _wrapped(sys.stdout, _stop)
    sys.stderr = _wrapped(sys.stderr, lambda error: None)


def _open_missing() -> None:
    # Otherwise, the next file that is opened would become the standard stream.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _wrapped(stream: TextIO, failed: Callable[[OSError], None]) -> TextIO:
    """The same stream with another way to fail."""
    unbuffered = not hasattr(stream.buffer, "raw")
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream, failed)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=unbuffered or bool(stream.line_buffering),
    )


class _Output(io.RawIOBase):
    """An output that, once it has failed, swallows what is written to it.

    Otherwise Python would try to write the rest when it ends, and change the exit code.
    """

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None]) -> None:
        buffer: Any = stream.buffer
        self._raw = getattr(buffer, "raw", buffer)
        self._owner = stream  # closes the raw stream when it is deleted
        self._failed = failed
        self._works = True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def write(self, data: Any) -> int | None:
        if self._works:
            try:
                written: int | None = self._raw.write(data)
                return written
            except OSError as error:
                self._works = False
                self._failed(error)
        return len(data)


def _stop(error: OSError) -> None:
    # Windows reports a closed pipe as an invalid argument.
    if error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL):
        raise OutputClosedError from error
    reason = (error.strerror or str(error)).lower()
    raise UsageError(
        f"Cannot write to standard output: {reason}. Free some space, or redirect the output "
        "elsewhere."
    ) from error
