"""Exit code and sentence of any exception that ends a command."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import MoeclipError, Terminated
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.parallel.memory import ran_out_of_memory

_LONGEST_CAUSE = 300
# What moeclip-runtime leaves out.
_ONLY_COMPLETE = {"huggingface_hub", "open_clip", "packaging", "safetensors", "torch"}
# Errors of the system, not of the program, that a more specific message has not explained.
_REMEDIES = {
    errno.ENOSPC: "Free some space.",
    errno.EDQUOT: "Free some space.",
    errno.EACCES: "Check the permissions of the path.",
    errno.EPERM: "Check the permissions of the path.",
    errno.EROFS: "Choose a path on another file system.",
    errno.ENAMETOOLONG: "Use a shorter path.",
    errno.EIO: "Check the disk or the network connection.",
    errno.EMFILE: "Raise the limit of open files.",
}


@dataclass(frozen=True)
class Failure:
    """The end of a command.

    Attributes:
        exit_code: exit code of the process.
        message: the problem and the remedy; empty if the user has caused the end on purpose.
    """

    exit_code: ExitCode
    message: str = ""


def failure_of(error: BaseException) -> Failure:
    """Return the exit code and the sentence for an exception."""
    if isinstance(error, MoeclipError):
        return Failure(error.exit_code, str(error))
    if isinstance(error, KeyboardInterrupt):
        stopped = isinstance(error, Terminated)
        return Failure(ExitCode.TERMINATED if stopped else ExitCode.INTERRUPTED)
    cause = shortened(f"{type(error).__name__}: {error}".rstrip(": "), _LONGEST_CAUSE)
    if ran_out_of_memory(error):
        return Failure(
            ExitCode.NOT_LOADED,
            f"Not enough memory ({cause}). Close other programs, or raise the memory limit of this "
            "process.",
        )
    if isinstance(error, ModuleNotFoundError) and error.name in _ONLY_COMPLETE:
        return Failure(
            ExitCode.USAGE,
            f"{error.name} is not installed, and this command needs it; install moeclip with its "
            "dependencies, in another environment than moeclip-runtime.",
        )
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        path = "" if error.filename is None else f": {shortened(error.filename, _LONGEST_CAUSE)}"
        return Failure(ExitCode.USAGE, f"{error.strerror}{path}. {_REMEDIES[error.errno]}")
    return Failure(
        ExitCode.INTERNAL_ERROR,
        f"Internal error ({cause}). This is a bug; please report it with the output of the same "
        "command with --debug.",
    )
