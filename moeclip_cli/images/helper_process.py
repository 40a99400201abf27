"""The program of a helper process, which decodes image files for the process that started it.

Each request is one line of JSON on standard input: `path`, `max_pixels`, `seconds` and `mask`.
Each reply is one line of JSON on standard output: either `error`, or `shape` and `notes`, followed
by the pixels as bytes. The process ends when its input ends or when decoding exceeds `seconds`.
"""

from __future__ import annotations

import faulthandler
import json
import signal
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from moeclip_cli.errors import ImageError
from moeclip_cli.images.image_file import identify_format, open_image_file
from moeclip_cli.images.mask_file import open_mask
from moeclip_cli.images.readers import DecodedImage, as_image_error, open_image, silence_pillow

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
    faulthandler.dump_traceback_later(request["seconds"], exit=True)
    try:
        decoded = _decode(Path(request["path"]), request["max_pixels"], request["mask"])
    except ImageError as error:
        _send({"error": str(error)})
        return
    finally:
        faulthandler.cancel_dump_traceback_later()
    _send({"shape": decoded.pixels.shape, "notes": decoded.notes})
    sys.stdout.buffer.write(decoded.pixels.data)
    sys.stdout.buffer.flush()


def _decode(path: Path, max_pixels: int, mask: bool) -> DecodedImage:
    read_header = open_mask if mask else open_image
    with open_image_file(path) as stream:
        image_format = identify_format(stream)
        with as_image_error(f"{image_format} file"):
            return read_header(stream, image_format, max_pixels).read()


def _send(reply: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
    sys.stdout.buffer.flush()
