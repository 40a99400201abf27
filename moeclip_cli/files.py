"""Writing files: atomic replacement, durable appending, and errors in one sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from moeclip_cli.errors import UsageError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or choose another `{parameter}`",
    errno.EDQUOT: "the disk quota is exceeded; free some space or choose another `{parameter}`",
    errno.EACCES: "permission denied; choose another `{parameter}`",
    errno.EPERM: "permission denied; choose another `{parameter}`",
    errno.EROFS: "the file system is read-only; choose another `{parameter}`",
    errno.ENAMETOOLONG: "the path is too long; choose a shorter `{parameter}`",
    errno.ENOTDIR: "part of its path is a file, not a folder; choose another `{parameter}`",
    errno.EEXIST: "part of its path is a file, not a folder; choose another `{parameter}`",
    errno.EISDIR: "there is a folder with that name; choose another `{parameter}`",
}

# Temporary files of `replacing`; a killed process leaves them behind.
_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial")

# A power failure loses at most this much of an appended file.
_SYNC_SECONDS = 5.0

_Self = TypeVar("_Self", bound="Closable")


class Closable(ABC):
    """A writer that a `with` statement closes."""

    @abstractmethod
    def close(self) -> None:
        """Finish writing."""

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextmanager
def write_errors(path: Path, parameter: str = "out") -> Iterator[None]:
    """Turn every `OSError` of the block into a `UsageError` about writing `path`.

    Args:
        path: the file or folder that the block writes.
        parameter: name of the parameter that determines `path`.

    Raises:
        UsageError: naming the cause and `parameter`.
    """
    try:
        yield
    except OSError as error:
        other = f"{error.strerror or error}; choose another `{{parameter}}`"
        remedy = _REMEDIES.get(error.errno or 0, other).replace("{parameter}", parameter)
        raise UsageError(f"Cannot write {path}: {remedy}.") from error


@contextmanager
def replacing(path: Path, parameter: str = "out", *, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a stream whose content replaces `path` when the block ends without an error.

    Missing parent folders are created. Until the block ends, and after an error, `path` is
    unchanged.

    Args:
        path: the file to write.
        parameter: name of the parameter that determines `path`.
        durable: wait until the content is on the disk, so that it survives a power failure.

    Raises:
        UsageError: if the file cannot be written.
    """
    # A short temporary name, because the name in `path` may already have the maximum length.
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    with write_errors(path, parameter):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as stream:
                yield stream
                if durable:
                    stream.flush()
                    os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to report
                partial.unlink(missing_ok=True)
            raise
        if durable:
            _sync_folder(path.parent)


def is_present(path: Path, parameter: str = "out") -> bool:
    """Return True if `path` exists.

    Raises:
        UsageError: if that cannot be determined: the path is too long, or permission is denied.
    """
    with write_errors(path, parameter):
        return path.exists()


def partial_files(folder: Path, below: Iterable[str] = ()) -> Iterator[Path]:
    """Find the temporary files of killed processes in a folder.

    Args:
        folder: the folder.
        below: names of subfolders that are searched to any depth.
    """
    top = islice(os.walk(folder), 1)
    for parent, _, names in chain(top, *(os.walk(folder / name) for name in below)):
        yield from (Path(parent, name) for name in names if _PARTIAL.fullmatch(name))


def size_and_time(path: Path) -> tuple[int, int] | None:
    """Size in bytes and modification time in nanoseconds, which identify a replaced file.

    Returns:
        None if the file cannot be found.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


class AppendedFile(Closable):
    """A file that grows. Appended data survives a killed process at once.

    It survives a power failure after at most a few seconds, and always after `close`.

    Args:
        path: the file; its folder is created.
        keep: number of bytes of an existing file to keep.

    Raises:
        UsageError: if the file cannot be written.
    """

    def __init__(self, path: Path, *, keep: int = 0) -> None:
        self.path = path
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered, so that appended data survives a killed process.
            self._stream = path.open("ab" if keep else "wb", buffering=0)
            if keep:
                self._stream.truncate(keep)
        self._synced = time.monotonic()

    def append(self, data: bytes) -> None:
        """Append data; nothing of it if that fails.

        Raises:
            UsageError: if it cannot be written, or the file has been removed.
        """
        with write_errors(self.path):
            append_whole(self._stream, data)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Wait until the data is on the disk.

        Raises:
            UsageError: if it cannot be written, or the file has been removed.
        """
        with write_errors(self.path):
            os.fsync(self._stream.fileno())
            ours = os.fstat(self._stream.fileno())
            try:
                there = os.path.samestat(ours, self.path.stat())
            except (FileNotFoundError, NotADirectoryError):
                there = False
        if not there:
            raise UsageError(
                f"{self.path} was removed or replaced during the run, and its content is lost; run "
                "the command again, and leave the output folder alone until it ends."
            )
        self._synced = time.monotonic()

    def close(self) -> None:
        """Finish the file. Closing it twice is harmless.

        Raises:
            UsageError: if the data cannot be written, or the file has been removed.
        """
        if not self._stream.closed:
            try:
                self.sync()
            finally:
                self._stream.close()


def append_whole(stream: FileIO, data: bytes) -> None:
    """Append data to an unbuffered stream; after an error, the file has its earlier length.

    Raises:
        OSError: if the data cannot be written.
    """
    length = os.fstat(stream.fileno()).st_size
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[stream.write(rest) :]
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one to report
            stream.truncate(length)
            stream.seek(length)
        raise


def _sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, on systems that can."""
    with contextlib.suppress(OSError):  # Windows cannot open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
