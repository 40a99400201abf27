"""Video files: single frames by number, through OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError

VIDEO = "video"


class VideoFile:
    """An open video, which is read forwards.

    Attributes:
        path: the file.
        step: called before each frame, so that a time limit is that of one frame.
        next: number of the frame that is read next; the first has 1.

    Raises:
        ImageError: if the file cannot be decoded.
    """

    def __init__(self, path: Path, step: Callable[[], None]) -> None:
        self.path = path
        self.next = 1
        self.step = step
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise ImageError(
                "The video is corrupt or of an unsupported variant; convert it, for example to MP4."
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame."""
        sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(self._capture.get(side)) for side in sides)
        return width, height

    def frame(self, number: int) -> NDArray[np.uint8]:
        """The frame with a number, `next` or higher, (H, W, 3) uint8 RGB.

        Raises:
            ImageError: if the video ends before.
        """
        self.skip(number - self.next)
        if self.next == number:
            self.step()
            found, pixels = self._capture.read()
            if found:
                self.next += 1
                return np.ascontiguousarray(pixels[..., ::-1])
        raise ImageError(f"The video has no frame {number}, or it cannot be decoded.")

    def skip(self, most: int) -> int:
        """Pass over frames; returns how many, fewer than `most` where the video ends."""
        for done in range(most):
            self.step()
            if not self._capture.grab():
                return done
            self.next += 1
        return most

    def close(self) -> None:
        """Close the file."""
        self._capture.release()
