"""Counting the pages of image files, and the frames of animations and videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from PIL import TiffImagePlugin

from moeclip_cli.images.dicom import DICOM, frame_count, read_header
from moeclip_cli.images.image_file import identify_format, open_image_file
from moeclip_cli.images.readers import as_image_error, pillow_reader
from moeclip_cli.images.video import VIDEO, VideoFile


def count_pages(path: Path, most: int, step: Callable[[], None]) -> int:
    """Number of pages or frames of a file, at most `most`.

    A video is decoded for that: what its header says is often wrong.

    Args:
        path: the file.
        most: number at which counting ends.
        step: called before each frame of a video.

    Raises:
        ImageError: if the file cannot be read.
    """
    with open_image_file(path) as stream:
        image_format = identify_format(stream)
        if image_format != VIDEO:
            with as_image_error(f"{image_format} file"):
                return min(most, _pages(stream, image_format, most))
    video = VideoFile(path, step)
    try:
        return video.skip(most)
    finally:
        video.close()


def _pages(stream: BinaryIO, image_format: str, most: int) -> int:
    if image_format == "TIFF":
        return _tiff_pages(stream, most)
    if image_format == DICOM:
        return frame_count(read_header(stream))
    return int(getattr(pillow_reader(image_format)(stream), "n_frames", 1))


def _tiff_pages(stream: BinaryIO, most: int) -> int:
    start = stream.read(16)
    big = start[2:4] in (b"+\0", b"\0+")
    tags = TiffImagePlugin.ImageFileDirectory_v2(start if big else start[:8])
    seen: set[int] = set()
    while tags.next and tags.next not in seen and len(seen) < most:
        seen.add(tags.next)
        stream.seek(tags.next)
        tags.load(stream)
    return len(seen)
