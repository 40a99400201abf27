"""Videos for tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_video(path: Path, frames: int, colour: tuple[int, int, int] | None = None) -> None:
    """A video of 96 x 64 pixels, in which frame n (from 1) has the grey value 10 n, or a colour."""
    codec = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (96, 64))
    assert writer.isOpened()
    for number in range(1, frames + 1):
        shade = colour[::-1] if colour else (10 * number,) * 3
        writer.write(np.full((64, 96, 3), shade, dtype=np.uint8))
    writer.release()
