"""Cameras and streams as images: their frames, as they come."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from multiprocessing.spawn import get_executable
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import Place, is_url, shown_url
from moeclip_cli.errors import UsageError
from moeclip_cli.images.live_process import OPENED

_CAMERA = re.compile(r"camera:(\d+|[A-Za-z][A-Za-z0-9+.-]+://.+)")
_STREAM = re.compile(r"(rtsps?|rtmps?)://", re.IGNORECASE)

_COMMAND = (
    "import sys; sys.path[:] = sys.argv[1:-2];"
    "from moeclip_cli.images.live_process import serve; serve()"
)


@dataclass(frozen=True, eq=False)
class Frame(Place):
    """A frame of a stream, which cannot be read again.

    Attributes:
        stream: name of the stream.
        number: of the frame; the first has 1.
        pixels: (H, W, 3) uint8 RGB.
    """

    stream: str
    number: int
    pixels: NDArray[np.uint8]

    def __str__(self) -> str:
        return f"{self.stream}#{self.number}"


def is_stream(text: str) -> bool:
    """Whether an input is a camera (camera:0, camera:URL) or the URL of a stream (rtsp://)."""
    return _CAMERA.fullmatch(text) is not None or _STREAM.match(text) is not None


class LiveStream:
    """The frames of a camera or a stream, from when it is opened. Iterate once.

    If frames come faster than they are taken, the newest counts, and the others are passed over.

    Args:
        text: the user's input.
        every: of the frames, every so many is wanted.

    Attributes:
        name: the input without credentials, in tables.
        last: number of the last frame.
        passed: number of wanted frames that were passed over.
        ended: whether the stream ended by itself.
        endless: whether that means that it was lost: cameras and RTSP streams do not end.

    Raises:
        UsageError: if it cannot be opened.
    """

    def __init__(self, text: str, every: int) -> None:
        source = text.removeprefix("camera:")
        self.name = shown_url(source) if is_url(source) else text
        self.last = self.passed = 0
        self.ended = self._stopped = False
        self.endless = not source.lower().startswith(("http://", "https://"))
        self._process = subprocess.Popen(
            [os.fsdecode(get_executable()), "-c", _COMMAND, *sys.path, source, str(every)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._requests = cast(IO[bytes], self._process.stdin)
        self._replies = cast(BufferedReader, self._process.stdout)
        if self._replies.readline() != OPENED:
            self.close()
            raise UsageError(f"{self.name} cannot be opened; {_remedy(source)}.")

    def __iter__(self) -> Iterator[ImageRef]:
        output = self.name.partition("://")[2] or self.name.replace(":", "-")
        while (frame := self._next()) is not None:
            yield ImageRef(frame, f"{output}#{frame.number}")
        self.ended = not self._stopped
        self.close()

    def stop(self) -> None:
        """End the iteration, which may be waiting for a frame; from a signal handler, too."""
        self._stopped = True
        self._process.kill()

    def close(self) -> None:
        """End the process that reads the stream. Closing it twice is harmless."""
        self._process.kill()
        self._process.wait()
        self._replies.close()

    def _next(self) -> Frame | None:
        try:
            self._requests.write(b"next\n")
            self._requests.flush()
            reply = json.loads(self._replies.readline() or '{"end": true}')
            if "end" in reply:
                return None
            pixels = np.empty(reply["shape"], dtype=np.uint8)
            if self._replies.readinto(pixels.data.cast("B")) < pixels.nbytes:
                return None
        except (OSError, ValueError):  # stopped, or closed
            return None
        self.passed += reply["passed"] if self.last else 0
        self.last = reply["number"]
        return Frame(self.name, self.last, pixels)


def _remedy(source: str) -> str:
    if source.isdigit():
        return "check that a camera of that number is connected, and no other program uses it"
    return "check the address, user name and password, and that the camera is on"
