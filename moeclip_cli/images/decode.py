"""Image decoding: a file, bytes, a Pillow image, an array or a tensor to upright 8-bit RGB.

Masks are decoded to luminance.

Memory is limited by a budget that all threads share, time by decoding in a helper process that can
be stopped. Undecodable input raises `ImageError`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.discovery.places import Page, RemoteFile, place_of
from moeclip_cli.errors import ImageError
from moeclip_cli.images.budget import BUDGET, DECODE_BYTES
from moeclip_cli.images.decoded import DecodedImage
from moeclip_cli.images.downloads import Download
from moeclip_cli.images.helper import HELPERS
from moeclip_cli.images.image_file import (
    ImageStream,
    SlowFileError,
    identify_format,
    open_image_file,
)
from moeclip_cli.images.in_memory import as_file, decode_array, is_array, is_encoded
from moeclip_cli.images.live import Frame
from moeclip_cli.images.mask_file import open_mask
from moeclip_cli.images.readers import (
    OpenedImage,
    as_image_error,
    open_image,
    open_pillow,
    silence_pillow,
)
from moeclip_cli.images.video import VIDEO

DEFAULT_MAX_PIXELS = 200_000_000
"""Resolution of the largest phone sensors; decoding an 8-bit image of it takes 1.5 GB."""

DEFAULT_DECODE_SECONDS = 20.0
"""Time after which the decoding of one image is stopped."""

_FRAME_BYTES = 100_000_000  # of a video; enough for 8K

OpenOne: TypeAlias = Callable[[BinaryIO, str, int], OpenedImage]

_MOST_READS = 500_000  # about a second of work; a PNG of 50 megapixels needs 75,000

# Pillow's own limit, which only this process has; and files that take long to read.
_NEEDS_HELPER = (Image.DecompressionBombError, Image.DecompressionBombWarning, SlowFileError)


def decode(
    source: Any,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    decode_seconds: float = DEFAULT_DECODE_SECONDS,
) -> DecodedImage:
    """Decode an image to upright 8-bit RGB. Thread-safe.

    The format is determined by the content of the file, not by its extension. Only the first page
    or frame is used, EXIF orientation is applied, and transparency is shown over white. Values of
    more than 8 bits are scaled so that the image's own minimum and maximum become 0 and 255.

    Args:
        source: a path or URL, the content of a file (bytes or a binary stream), a Pillow image, or
            an array or tensor: see `decode_array`.
        max_pixels: largest width * height to decode; not applied to arrays, which are in memory.
        decode_seconds: time after which decoding a file is stopped.

    Raises:
        ImageError: if the source cannot be read, is not an image, is corrupt, is too large or takes
            too long.
    """
    with decoding(source, max_pixels=max_pixels, decode_seconds=decode_seconds) as decoded:
        return decoded


def decode_mask(
    path: Path,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    decode_seconds: float = DEFAULT_DECODE_SECONDS,
) -> NDArray[np.uint8]:
    """Read the luminance of a mask file as it is stored. Thread-safe.

    Alpha is ignored. Values of more than 8 bits are not scaled: those above 255 count as 255. Like
    an image, a mask is turned upright by its own EXIF orientation.

    Args:
        path: a file of any image format.
        max_pixels: largest width * height to decode.
        decode_seconds: time after which decoding is stopped.

    Returns:
        (H, W) luminance (ITU-R 601), 0 where the mask is black.

    Raises:
        ImageError: if the file cannot be read, as in `decode`.
    """
    silence_pillow()
    with ExitStack() as stack:
        return _decode_file(path, max_pixels, decode_seconds, stack, mask=True).pixels


@contextmanager
def decoding(
    source: Any,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    decode_seconds: float = DEFAULT_DECODE_SECONDS,
) -> Iterator[DecodedImage]:
    """Decode an image as `decode` does and keep its share of the memory budget for the block.

    The block must not decode another image, which could wait for its own share forever.
    """
    silence_pillow()
    with ExitStack() as stack:
        yield _decode(source, max_pixels, decode_seconds, stack)


def _decode(
    source: Any,
    max_pixels: int,
    seconds: float,
    stack: ExitStack,
) -> DecodedImage:
    if is_array(source):
        return decode_array(source, max_pixels)
    if isinstance(source, Image.Image):
        with as_image_error("image"):
            opened = open_pillow(source, max_pixels)
            stack.enter_context(BUDGET.hold(opened.weight))
            return opened.read()
    if is_encoded(source):
        with as_file(source) as path:
            return _decode_file(path, max_pixels, seconds, stack)
    place = place_of(source) if isinstance(source, (str, os.PathLike)) else source
    if isinstance(place, Frame):
        return decode_array(place.pixels, max_pixels)
    page = None
    if isinstance(place, Page):
        page = place.number
        place = place.file
    if isinstance(place, RemoteFile):
        place = Download(place)
    if isinstance(place, Download):
        return _decode_file(place.path(max_pixels), max_pixels, seconds, stack, page=page)
    if not isinstance(place, Path):
        raise ImageError(
            "An image must be a path, a URL, the bytes of a file, a Pillow image, an array or a "
            f"tensor, not {type(source).__name__}."
        )
    return _decode_file(place, max_pixels, seconds, stack, page=page)


def _decode_file(
    path: Path,
    max_pixels: int,
    seconds: float,
    stack: ExitStack,
    *,
    mask: bool = False,
    page: int | None = None,
) -> DecodedImage:
    decoded: DecodedImage | int = _FRAME_BYTES
    with open_image_file(path) as stream:
        image_format = identify_format(stream)
        if image_format != VIDEO or page is None:
            with as_image_error(f"{image_format} file"):
                open_one = open_mask if mask else functools.partial(open_image, page=page)
                decoded = _decode_here(stream, image_format, max_pixels, stack, open_one)
    if isinstance(decoded, DecodedImage):
        return decoded
    stack.close()  # releases the share of an attempt that was given up
    stack.enter_context(BUDGET.hold(decoded))
    return HELPERS.decode(path, max_pixels, seconds, mask=mask, page=page)


def _decode_here(
    stream: ImageStream, image_format: str, max_pixels: int, stack: ExitStack, open_one: OpenOne
) -> DecodedImage | int:
    """Return the image or, if it belongs in a helper, its weight in the memory budget."""
    stream.reads_left = _MOST_READS
    try:
        opened = open_one(stream, image_format, max_pixels)
        if opened.needs_helper:
            return opened.weight
        stack.enter_context(BUDGET.hold(opened.weight))
        return opened.read()
    except _NEEDS_HELPER:
        return DECODE_BYTES
