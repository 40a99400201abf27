"""Exit codes of the `moeclip` command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of a command, as the table of exit codes in the documentation lists it."""

    DONE = 0
    ANOMALIES_FOUND = 1
    USAGE = 2
    UNREADABLE_IMAGES = 3
    NOT_LOADED = 4
    INCOMPLETE = 5
    UNSURE_IMAGES = 6
    # Different from all other errors, so that a launcher can tell a cause from its consequences.
    PROCESS_LOST = 69
    # sysexits.h calls it an internal software error; 1 means that anomalies were found.
    INTERNAL_ERROR = 70
    # 128 + the signal's number, as shells report a program that a signal ended.
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143
