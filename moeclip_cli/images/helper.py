"""Helper processes: decoding that can be stopped, and whose messages are not printed.

A thread cannot be stopped while a library decodes; a process can. Helpers are started when the
first image needs one and reused. A helper ends itself when an image exceeds its time, and when this
process ends. Its protocol is described in `helper_process.py`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from io import BufferedReader
from multiprocessing.spawn import get_executable
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decoded import DecodedImage
from moeclip_cli.images.helper_process import EXIT_TIMEOUT

_MOST_HELPERS = 4

# The search path is passed on, as the helper must not import from the current folder. A helper
# imports neither PyTorch nor the main module of the program.
_COMMAND = (
    "import sys; sys.path[:] = sys.argv[1:];"
    "from moeclip_cli.images.helper_process import serve; serve()"
)
_INTERRUPTED = (-signal.SIGINT, 0xC000013A)  # the exit codes of Ctrl-C on POSIX and on Windows


class Helpers:
    """The helper processes of this process, at most four of which decode at the same time."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_MOST_HELPERS)
        self._choice = threading.Lock()
        self._idle: list[_Helper] = []

    def decode(
        self,
        path: Path,
        max_pixels: int,
        seconds: float,
        *,
        mask: bool = False,
        page: int | None = None,
    ) -> DecodedImage:
        """Decode a file in a helper.

        Args:
            path: the file.
            max_pixels: largest width * height to decode.
            seconds: time after which decoding is stopped.
            mask: whether to read it as a mask.
            page: number of the page or frame, from 1; None for the image as such.

        Raises:
            ImageError: if the file cannot be decoded, takes too long or makes the helper crash, or
                if no helper can be started.
            KeyboardInterrupt: if Ctrl-C ended the helper.
        """
        request = {"max_pixels": max_pixels, "seconds": seconds, "mask": mask, "page": page}
        decoded = self._answer(path, request)
        assert isinstance(decoded, DecodedImage)  # noqa: S101
        return decoded

    def count_pages(self, path: Path, most: int, seconds: float) -> int:
        """Count the pages or frames of a file, up to `most`.

        Raises:
            ImageError: as `decode`; `seconds` is for each frame of a video.
        """
        count = self._answer(path, {"seconds": seconds, "count": most})
        assert isinstance(count, int)  # noqa: S101
        return count

    def _answer(self, path: Path, request: dict[str, Any]) -> DecodedImage | int:
        with self._slots:
            helper = self._take(path, request.get("page"))
            try:
                reply = helper.answer(path, request)
            except BaseException:
                helper.end()
                raise
            self._idle.append(helper)
        if isinstance(reply, str):
            raise ImageError(reply)
        return reply

    def close(self) -> None:
        """End the idle helpers."""
        while self._idle:
            self._idle.pop().end()

    def _take(self, path: Path, page: int | None) -> _Helper:
        """An idle helper, by preference the one that has read the pages before this one."""

        def fitness(helper: _Helper) -> tuple[bool, int]:
            last = helper.last_page
            return (path, 0) <= last < (path, page) if page else not last[1], last[1]

        while True:
            with self._choice:
                if not self._idle:
                    return _Helper()
                helper = max(reversed(self._idle), key=fitness)
                self._idle.remove(helper)
            if helper.alive:
                return helper
            helper.end()


class _Helper:
    """One helper process.

    Attributes:
        last_page: the file that it read last, and the number of the page; 0 for none.

    Raises:
        ImageError: if it cannot be started.
    """

    def __init__(self) -> None:
        self.last_page = (Path(), 0)
        try:
            self._process = subprocess.Popen(
                [os.fsdecode(get_executable()), "-c", _COMMAND, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            reason = error.strerror or error
            raise ImageError(
                f"The process that decodes this file could not be started: {reason}.",
                temporary=True,
            ) from error

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def answer(self, path: Path, request: dict[str, Any]) -> DecodedImage | int | str:
        """Return the image, the number of pages, or the error message.

        Raises:
            ImageError: if the helper ended before it replied.
            KeyboardInterrupt: if Ctrl-C ended it.
        """
        # `absolute` keeps a ".." that follows a link; the helper has its own current folder.
        request = {"path": str(path.absolute()), **request}
        seconds = request["seconds"]
        self.last_page = (path, request.get("page") or 0)
        started = time.monotonic()
        try:
            return self._exchange(request)
        except (OSError, EOFError) as error:
            code = self._process.wait()
            if code in _INTERRUPTED:
                raise KeyboardInterrupt from error
            if code == EXIT_TIMEOUT and time.monotonic() - started >= seconds:
                raise ImageError(
                    f"Decoding took longer than {seconds:g} seconds and was stopped; save the file "
                    "again, for example as PNG, or raise `decode_seconds`.",
                    too_slow=True,
                ) from error
            raise ImageError(
                "Decoding this file ended the process that decodes it, because the file is corrupt "
                "or memory ran out; copy or export it again, or reduce `workers`.",
                temporary=True,
            ) from error

    def end(self) -> None:
        """End the process and close its pipes."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # unsent bytes of a request
                cast(IO[bytes], pipe).close()
        self._process.wait()

    def _exchange(self, request: dict[str, Any]) -> DecodedImage | int | str:
        requests = cast(IO[bytes], self._process.stdin)
        replies = cast(BufferedReader, self._process.stdout)
        requests.write(json.dumps(request).encode() + b"\n")
        requests.flush()
        line = replies.readline()
        if not line:
            raise EOFError
        reply = json.loads(line)
        if "error" in reply:
            return str(reply["error"])
        if "count" in reply:
            return int(reply["count"])
        pixels = np.empty(reply["shape"], dtype=np.uint8)
        if replies.readinto(pixels.data.cast("B")) < pixels.nbytes:
            raise EOFError
        return DecodedImage(pixels, tuple(reply["notes"]))


HELPERS = Helpers()
"""The helpers of this process."""

atexit.register(HELPERS.close)
if hasattr(os, "register_at_fork"):
    # A forked process must not talk to the helpers of its parent.
    os.register_at_fork(after_in_child=HELPERS.__init__)  # type: ignore[misc]
