"""The program of the process that reads a camera or a stream for `live.py`.

Arguments: a number of a device or a URL, and the number of frames between two that are wanted. The
first line on standard output is `opened` or `refused`. Then each line on standard input gets a line
of JSON: `number`, `passed` and `shape`, followed by the pixels as bytes; or `end`.

A thread reads all frames, as they come. Only the newest wanted one is kept: the others would pile
up wherever scoring is slower than the camera.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

import cv2
import numpy as np

OPENED, REFUSED = b"opened\n", b"refused\n"

_OPEN_MS = 10_000
_SILENT_SECONDS = 15.0


class _Newest:
    """The newest wanted frame of a capture."""

    def __init__(self, capture: Any, every: int) -> None:
        self._capture, self._every = capture, every
        self._changed = threading.Condition()
        self._frame: Any = None
        self._number = self._passed = 0
        self._ended = False
        self._heard = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> tuple[int, int, Any] | None:
        """Number, frames passed over since the one before, and pixels; None at the end."""
        with self._changed:
            while self._frame is None and not self._ended:
                self._changed.wait(1)
                if time.monotonic() - self._heard > _SILENT_SECONDS:
                    return None
            if self._frame is None:
                return None
            (number, pixels), self._frame = self._frame, None
            passed, self._passed = self._passed, 0
            return number, passed, pixels

    def _read(self) -> None:
        while self._capture.grab():
            self._heard = time.monotonic()
            self._number += 1
            if (self._number - 1) % self._every:
                continue
            found, pixels = self._capture.retrieve()
            if not found:
                break
            with self._changed:
                self._passed += self._frame is not None
                self._frame = (self._number, pixels)
                self._changed.notify()
        with self._changed:
            self._ended = True
            self._changed.notify()


def serve() -> None:
    """Open the source that the arguments name, and answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides
    source, every = sys.argv[-2:]
    output = sys.stdout.buffer
    capture = _opened(source)
    output.write(OPENED if capture.isOpened() else REFUSED)
    output.flush()
    newest = _Newest(capture, int(every)) if capture.isOpened() else None
    for _ in sys.stdin.buffer:
        taken = None if newest is None else newest.take()
        if taken is None:
            output.write(b'{"end": true}\n')
        else:
            number, passed, pixels = taken
            rgb = np.ascontiguousarray(pixels[..., ::-1])
            reply = {"number": number, "passed": passed, "shape": rgb.shape}
            output.write(json.dumps(reply).encode() + b"\n")
            output.write(rgb.data)
        output.flush()
    os._exit(0)  # the thread may wait for a frame


def _opened(source: str) -> Any:
    if source.isdigit():
        return cv2.VideoCapture(int(source))
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _OPEN_MS]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
