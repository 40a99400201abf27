"""The program of a helper process, which decodes image files for the process that started it.

Each request is one line of JSON on standard input: `path`, `max_pixels`, `seconds`, `mask` and
`page`; or `path`, `seconds` and `count`, the most pages to count. Each reply is one line of JSON on
standard output: either `error`, or `count`, or `shape` and `notes`, followed by the pixels as
bytes. The process ends when its input ends or when decoding an image, or one frame of a video,
exceeds `seconds`. A video stays open: its frames are mostly asked for in order.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decoded import DecodedImage
from moeclip_cli.images.image_file import identify_format, open_image_file
from moeclip_cli.images.mask_file import open_mask
from moeclip_cli.images.page_count import count_pages
from moeclip_cli.images.readers import (
    as_image_error,
    check_size,
    open_image,
    silence_pillow,
)
from moeclip_cli.images.video import VIDEO, VideoFile

_VIDEOS: list[VideoFile] = []  # the open one, if any

EXIT_TIMEOUT = 1
"""The exit code with which `faulthandler` ends a process."""


def serve() -> None:
    """Answer requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C also ends a library call
    silence_pillow()
    Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is the limit
    for line in sys.stdin.buffer:
        _answer(json.loads(line))


def _answer(request: dict[str, Any]) -> None:
    # A thread in C ends the process, whatever a library is doing at the time.
    limit = functools.partial(faulthandler.dump_traceback_later, request["seconds"], exit=True)
    limit()
    path = Path(request["path"])
    try:
        if "count" in request:
            _send({"count": count_pages(path, request["count"], limit)})
            return
        decoded = _decode(path, request, limit)
    except ImageError as error:
        _send({"error": str(error)})
        return
    finally:
        faulthandler.cancel_dump_traceback_later()
    _send({"shape": decoded.pixels.shape, "notes": decoded.notes})
    sys.stdout.buffer.write(decoded.pixels.data)
    sys.stdout.buffer.flush()


def _decode(path: Path, request: dict[str, Any], step: Callable[[], None]) -> DecodedImage:
    max_pixels, page = request["max_pixels"], request["page"]
    with open_image_file(path) as stream:
        image_format = identify_format(stream)
        if image_format == VIDEO and page is not None:
            return _frame(path, page, max_pixels, step)
        with as_image_error(f"{image_format} file"):
            if request["mask"]:
                return open_mask(stream, image_format, max_pixels).read()
            return open_image(stream, image_format, max_pixels, page).read()


def _frame(path: Path, number: int, max_pixels: int, step: Callable[[], None]) -> DecodedImage:
    video = _VIDEOS.pop() if _VIDEOS else VideoFile(path, step)
    if video.path != path or video.next > number:
        video.close()
        video = VideoFile(path, step)
    check_size(video.size, max_pixels)
    video.step = step
    pixels = video.frame(number)
    _VIDEOS.append(video)
    return DecodedImage(pixels)


def _send(reply: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
    sys.stdout.buffer.flush()
