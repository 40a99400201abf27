"""Faults on demand: the n-th call to the file system, or the n-th allocation, fails."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

import moeclip_cli

# Raised by the interpreter before the call, wherever the call is: in moeclip, the standard library
# or another package.
_EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.scandir"}
_ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)
_OURS = str(Path(moeclip_cli.__file__).parent)
_ALLOCATING = ("numpy", "torch", "cv2", "PIL")


class Faults:
    """Counts calls, and lets some of them fail.

    Args:
        folder: only calls for files below this folder are counted.
        at: number of the call that fails, from 1; 0 for none.
        lasting: whether all later calls fail, too, as on a disk that is full or gone.
    """

    def __init__(self, folder: Path, at: int = 0, *, lasting: bool = False) -> None:
        self.folder = str(folder.absolute())
        self.at, self.lasting = at, lasting
        self.counts: Counter[str] = Counter()
        self.failed: list[str] = []
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        """Number of calls up to now."""
        return self.counts.total()

    def concerns(self, path) -> bool:
        """Return True if a path is the folder or below it."""
        if isinstance(path, int) or path is None:
            return False
        found = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - a hook must be fast
        return found == self.folder or found.startswith(self.folder + os.sep)

    def fails(self, call: str, subject: object) -> bool:
        """Count a call; return True if it has to fail."""
        with self._lock:
            self.counts[call] += 1
            number = self.calls
            due = self.at and (number == self.at or (self.lasting and number > self.at))
            if due:
                self.failed.append(f"{call} {subject}")
            return bool(due)

    def check(self, call: str, path) -> None:
        """Count a call for a file.

        Raises:
            OSError: if the call has to fail.
        """
        if self.fails(call, path):
            raise self.error(path)

    def error(self, path) -> OSError:
        """The error of a call that fails; which one depends on its number."""
        number = _ERRORS[self.at % len(_ERRORS)]
        return OSError(number, os.strerror(number), str(path))


class _CountedFile(io.FileIO):
    """A file whose writes are counted. One that fails has written half of its data."""

    def __init__(self, path: Path, mode: str, faults: Faults) -> None:
        super().__init__(path, mode)
        self._faults = faults

    def write(self, data) -> int:
        if self._faults.fails("write", self.name):
            view = memoryview(data).cast("B")
            super().write(view[: len(view) // 2])
            raise self._faults.error(self.name)
        return super().write(data)


_active: Faults | None = None
_open, _fsync = Path.open, os.fsync


@contextmanager
def file_faults(faults: Faults) -> Iterator[Faults]:
    """Count opens, writes, renames, removals and syncs of the block; some fail."""
    global _active
    _hook_once()
    Path.open, os.fsync = _counted_open, _counted_fsync
    _active = faults
    try:
        yield faults
    finally:
        _active = None
        Path.open, os.fsync = _open, _fsync


@contextmanager
def allocation_faults(faults: Faults) -> Iterator[Faults]:
    """Count the calls of moeclip into NumPy, PyTorch, OpenCV and Pillow; some run out of memory."""

    def profile(frame, event, called) -> None:
        if event != "c_call" or not frame.f_code.co_filename.startswith(_OURS):
            return
        library = _library(called)
        # Leaving a context frees memory. One that is not left would change all later runs.
        if called.__name__ == "__exit__":
            return
        if library in _ALLOCATING and faults.fails(library, called.__name__):
            raise _memory_error(library)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield faults
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _library(called) -> str:
    owner = getattr(called, "__self__", None)
    module = called.__module__ or type(owner).__module__ or ""
    return module.split(".")[0]


def _memory_error(library: str) -> Exception:
    """The error that the library raises."""
    if library == "torch":
        return RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
        )
    if library == "cv2":
        return cv2.error("Failed to allocate 4096 bytes in function 'OutOfMemoryError'")
    return MemoryError()


def _counted_open(path, mode="r", buffering=-1, encoding=None, errors=None, newline=None):
    faults = _active
    if faults is None or not faults.concerns(path) or not set(mode) & set("wax+"):
        return _open(path, mode, buffering, encoding, errors, newline)
    raw = _CountedFile(path, mode.replace("b", ""), faults)
    if buffering == 0:
        return raw
    stream = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    return stream if "b" in mode else io.TextIOWrapper(stream, encoding, errors, newline)


def _counted_fsync(descriptor) -> None:
    if _active is not None:
        _active.check("fsync", descriptor)
    _fsync(descriptor)


def _audit(event: str, arguments) -> None:
    faults = _active
    if faults is not None and event in _EVENTS:
        paths = arguments[:2] if event == "os.rename" else arguments[:1]
        if any(faults.concerns(path) for path in paths):
            faults.check(event.removeprefix("os."), paths[0])


def _hook_once(installed: list[bool] = []) -> None:  # noqa: B006 - it cannot be removed again
    if not installed:
        installed.append(True)
        sys.addaudithook(_audit)
