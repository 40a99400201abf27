"""Exceptions raised on purpose. Each message is one or two sentences: the problem and the remedy.

A message names parameters in backticks, such as `max_pixels`. The command line prints the option of
that name instead and exits with `exit_code`.
"""

from __future__ import annotations

from moeclip_cli.exit_codes import ExitCode


class MoeclipError(Exception):
    """Base class of all errors that moeclip raises on purpose."""

    exit_code = ExitCode.NOT_LOADED


class UsageError(MoeclipError):
    """Invalid use: invalid value, path not found, no images, output folder already in use."""

    exit_code = ExitCode.USAGE


class ImageError(MoeclipError):
    """An image cannot be read. A run records the error in the image's row and continues.

    Args:
        message: the problem and the remedy.
        temporary: whether the cause is the system and not the content of the file, so that a
            resumed run tries again.
        too_large: whether the image has more pixels than permitted.
        too_slow: whether decoding was stopped for its time; also `temporary`, as a busy system
            may be the cause.
    """

    exit_code = ExitCode.UNREADABLE_IMAGES

    def __init__(
        self,
        message: str,
        *,
        temporary: bool = False,
        too_large: bool = False,
        too_slow: bool = False,
    ) -> None:
        super().__init__(message)
        self.temporary = temporary or too_slow
        self.too_large = too_large
        self.too_slow = too_slow


class ModelError(MoeclipError):
    """A checkpoint or a backbone was not found, or cannot be downloaded, trusted or combined."""


class DatasetError(MoeclipError):
    """A dataset was not found or has an unexpected layout."""


class MissingExtraError(MoeclipError):
    """An optional dependency is not installed. The message contains the command to install it."""

    exit_code = ExitCode.USAGE


class ProcessLostError(MoeclipError):
    """Another process of the same run ended early."""

    exit_code = ExitCode.PROCESS_LOST


class OutputClosedError(MoeclipError):
    """The reader of standard output has closed it, which is not worth a message."""

    exit_code = ExitCode.BROKEN_PIPE


class Terminated(KeyboardInterrupt):
    """SIGTERM asks the process to end, as Ctrl-C does."""
