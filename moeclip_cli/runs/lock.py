"""One writer at a time: a lock of the operating system, which ends with the process."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock, Timeout

from moeclip_cli.errors import UsageError
from moeclip_cli.files import Closable, replacing, write_errors

LOCK = ".moeclip-lock"
_HOLDER = ".json"


class WriterLock(Closable):
    """The exclusive right to write an output, held until it is closed or the process ends.

    Args:
        path: the lock file; a file beside it names the process that holds the lock.
        output: the folder or file that is written, for messages.
        parameter: name of the parameter that determines `output`.
        remove: remove the lock file in the end.

    Raises:
        UsageError: if another process holds the lock, or the file cannot be written.
    """

    def __init__(
        self, path: Path, output: Path, parameter: str = "out", *, remove: bool = False
    ) -> None:
        self._path, self._output, self._remove = path, output, remove
        self._lock = FileLock(path, timeout=0, thread_local=False)
        with write_errors(path, parameter):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise UsageError(
                    f"Another moeclip{_describe(path)} is writing to {output}; wait for it, or "
                    f"choose another `{parameter}`."
                ) from error
        self._holder = json.dumps(
            {
                "process": os.getpid(),
                "host": socket.gethostname(),
                "since": datetime.now(timezone.utc).isoformat(timespec="microseconds"),
                "command": " ".join(sys.argv),
            }
        ).encode()
        try:
            with replacing(_holder_of(path), parameter) as stream:
                stream.write(self._holder)
        except BaseException:
            self.close()
            raise

    @classmethod
    def of_folder(cls, folder: Path) -> WriterLock:
        """Lock an output folder.

        Raises:
            UsageError: if another process holds the lock, or the folder cannot be written.
        """
        return cls(folder / LOCK, folder)

    @classmethod
    def of_file(cls, file: Path, parameter: str) -> WriterLock:
        """Lock an output file, by a lock file beside it.

        Raises:
            UsageError: if another process holds the lock, or its folder cannot be written.
        """
        return cls(file.with_name(f".{file.name}{LOCK}"), file, parameter, remove=True)

    def require_held(self) -> None:
        """Check that the output is still the one that was locked.

        Raises:
            UsageError: if the folder was removed or replaced in the meantime, or cannot be read.
        """
        holder = _holder_of(self._path)
        with write_errors(holder):
            held = holder.exists() and holder.read_bytes() == self._holder
        if not held:
            raise UsageError(
                f"{self._output} was removed or replaced during the run, and its content is lost; "
                "run the command again, and leave the folder alone until it ends."
            )

    def close(self) -> None:
        """Release the lock. Closing it twice is harmless."""
        if self._lock.is_locked:
            with suppress(OSError):
                _holder_of(self._path).unlink(missing_ok=True)
                if self._remove:  # while it is held, so that no other process can have locked it
                    self._path.unlink(missing_ok=True)
            self._lock.release()


def is_locked(folder: Path) -> bool:
    """Return True if a process is writing to an output folder."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


def _holder_of(path: Path) -> Path:
    return path.with_name(path.name + _HOLDER)


def _describe(path: Path) -> str:
    """The process that holds the lock, in parentheses; empty if it is unknown."""
    try:
        holder = json.loads(_holder_of(path).read_bytes())
        since = datetime.fromisoformat(holder["since"]).astimezone()
        return f" (process {holder['process']} on {holder['host']}, since {since:%Y-%m-%d %H:%M})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
