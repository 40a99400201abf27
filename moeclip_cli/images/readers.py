"""Readers of image files: from an open file to upright 8-bit RGB, in this process.

Pillow decodes. Where it would truncate colour values to 8 bits, OpenCV reads the same file; see
`high_bit_depth.py`. `decoded.py` has the conversion.
"""

from __future__ import annotations

import errno
import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decoded import (
    DecodedImage,
    deep_values,
    keeps_all_bits,
    read_pillow,
    scaled,
)
from moeclip_cli.images.dicom import DICOM, frame_count, read_frame, read_header
from moeclip_cli.images.high_bit_depth import (
    is_16_bit_png,
    is_16_bit_pnm,
    read_all_bits,
    read_all_bits_of_page,
)
from moeclip_cli.images.image_file import describe_system_error
from moeclip_cli.images.jpeg import count_scans
from moeclip_cli.images.orientation import orientation_of
from moeclip_cli.images.plugins import avif_reader, heic_reader
from moeclip_cli.images.tiff import TiffHeader, read_tiff_header
from moeclip_cli.images.video import VIDEO

_READERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "PGM/PPM": PpmImagePlugin.PpmImageFile,
}

# Formats whose libraries are not part of every installation; each decodes in a helper.
_PLUGINS = {"AVIF": avif_reader, "HEIC": heic_reader}

# Peak memory per pixel in bytes, of which 3 are the result; `benchmarks/tile_memory.py` measures
# it. Pillow stores up to 4, libwebp keeps two canvases of 4 and hands over a third.
_PILLOW_BYTES = 8
_WEBP_BYTES = 16
_DEEP_BYTES = 17
_DICOM_BYTES = 40

_WEBP_SIDE = 16_383  # of a frame, by the format

# Limits for decoding in a thread, which cannot be stopped; each is about a second of work.
_LARGE_PIXELS = 50_000_000
_LARGE_SCANS = 500_000_000  # pixels x scans of a progressive JPEG
_LARGE_PLAIN_BYTES = 4_000_000  # of a plain-text PGM/PPM
_LARGE_RUNS_PIXELS = 4_000_000  # of a run-length encoded BMP


@dataclass(frozen=True)
class OpenedImage:
    """An image of permitted size whose pixels have not been decoded yet.

    Attributes:
        weight: estimate of the peak memory of `read` in bytes.
        needs_helper: True if decoding may take long, or uses a library that may print messages or
            crash (OpenCV, libtiff), so that it belongs in another process.
        read: decodes the image.
    """

    weight: int
    needs_helper: bool
    read: Callable[[], DecodedImage]


@functools.cache
def silence_pillow() -> None:
    """Keep Pillow from printing warnings about damaged metadata, which does not affect the pixels.

    Its warnings about large images are silenced too, as `max_pixels` limits the size. The filters
    are appended, so that the caller's own filters take precedence; the handler only replaces
    Python's handler of last resort.
    """
    for category in (UserWarning, Image.DecompressionBombWarning):
        warnings.filterwarnings("ignore", category=category, module=r"PIL\.", append=True)
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@contextmanager
def as_image_error(subject: str) -> Iterator[None]:
    """Turn every exception that decoding can raise into an ImageError about `subject`."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"The {subject} does not fit into memory; scale it down or reduce `workers`.",
            temporary=True,
        ) from error
    except Exception as error:  # given corrupt bytes, Pillow raises nearly every type
        # Pillow's own errors have no errno; EINVAL means an invalid offset in a corrupt file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise ImageError(describe_system_error(error), temporary=True) from error
        if isinstance(error, Image.DecompressionBombError):
            raise ImageError(
                f"The {subject} has more pixels than Pillow's own limit; raise "
                "`PIL.Image.MAX_IMAGE_PIXELS`."
            ) from error
        raise ImageError(
            f"The {subject} is corrupt, truncated or of an unsupported variant; copy or export it "
            "again."
        ) from error


def open_image(
    stream: BinaryIO, image_format: str, max_pixels: int, page: int | None = None
) -> OpenedImage:
    """Read the header of an image file.

    Args:
        stream: the file; it must stay open until the image is read.
        image_format: one of `FORMATS` or a video.
        max_pixels: largest width * height to decode.
        page: number of the page or frame, from 1; None for an image as such, which is the first
            one with a note on the others.

    Raises:
        Image.DecompressionBombError: if the image exceeds Pillow's own limit, which is global to
            the process.
        Exception: of nearly any type, if the file is corrupt or too large.
    """
    if image_format == VIDEO:
        raise ImageError(
            "This is a video; set `pages` to all, or `every` to a number, to score its frames."
        )
    if image_format == "TIFF":
        return _open_tiff(stream, max_pixels, page)
    if image_format == DICOM:
        return _open_dicom(stream, max_pixels, page)
    if page is not None:
        return _open_frame(stream, image_format, max_pixels, page)
    if image_format in _PLUGINS:
        return _open_plugin(stream, image_format, max_pixels)
    # Image.open would apply Pillow's own pixel limit, which is global to the process.
    image = _READERS[image_format](stream)
    pixels = _pixels_of(image, image_format, max_pixels)
    needs_helper = pixels > _LARGE_PIXELS or _is_slow(image, stream, pixels)
    if image_format == "PGM/PPM" and is_16_bit_pnm(stream):
        read = functools.partial(_read_deep, stream)
        return OpenedImage(pixels * _DEEP_BYTES, True, read)
    if image_format == "PNG" and is_16_bit_png(stream) and not keeps_all_bits(image):
        read = functools.partial(_read_deep_png, stream, image)
        return OpenedImage(pixels * _DEEP_BYTES, True, read)
    weight = pixels * (_WEBP_BYTES if image_format == "WebP" else _bytes_per_pixel(image))
    return OpenedImage(weight, needs_helper, lambda: read_pillow(image, _frame_notes(image)))


def _pixels_of(image: ImageFile.ImageFile, image_format: str, max_pixels: int) -> int:
    """The number of pixels of a permitted size."""
    # Pillow would need minutes for a canvas that is very wide, which no frame can fill.
    if image_format == "WebP" and max(image.size) > _WEBP_SIDE:
        raise ImageError(
            f"The WebP file is corrupt: it claims {image.width} x {image.height} pixels, and the "
            f"format has at most {_WEBP_SIDE:,} a side; copy or export it again."
        )
    return check_size(image.size, max_pixels)


def _open_plugin(stream: BinaryIO, image_format: str, max_pixels: int) -> OpenedImage:
    image = _PLUGINS[image_format]()(stream)
    weight = check_size(image.size, max_pixels) * _WEBP_BYTES
    return OpenedImage(weight, True, lambda: read_pillow(image, _frame_notes(image)))


def _open_frame(stream: BinaryIO, image_format: str, max_pixels: int, page: int) -> OpenedImage:
    """A frame of an animation, or the only one of a picture."""
    if page == 1 and getattr(pillow_reader(image_format)(stream), "n_frames", 1) == 1:
        stream.seek(0)
        return open_image(stream, image_format, max_pixels)
    stream.seek(0)
    image = pillow_reader(image_format)(stream)
    weight = _pixels_of(image, image_format, max_pixels) * _WEBP_BYTES

    def read() -> DecodedImage:
        try:
            image.seek(page - 1)
        except EOFError as error:
            raise ImageError(f"The {image_format} file has no frame {page}.") from error
        return read_pillow(image)

    return OpenedImage(weight, True, read)


def _open_dicom(stream: BinaryIO, max_pixels: int, page: int | None) -> OpenedImage:
    header = read_header(stream)
    pixels = check_size((int(header.Columns), int(header.Rows)), max_pixels)
    frames = frame_count(header)
    if page is not None and page > frames:
        raise ImageError(f"The DICOM file has no frame {page}, but {frames} only.")

    def read() -> DecodedImage:
        values, notes = read_frame(stream, header, page or 1)
        if frames > 1 and page is None:
            notes = (f"first of {frames} frames", *notes)
        if values.ndim == 2:
            values = np.repeat(values[..., np.newaxis], 3, axis=2)
        return DecodedImage(values, notes)

    return OpenedImage(pixels * _DICOM_BYTES, True, read)


def open_pillow(image: Image.Image, max_pixels: int) -> OpenedImage:
    """Prepare the decoding of an image that Pillow has opened; its pixels need not be loaded yet.

    Raises:
        ImageError: if the image has no pixels or is too large.
    """
    pixels = check_size(image.size, max_pixels)
    return OpenedImage(pixels * _bytes_per_pixel(image), False, lambda: read_pillow(image))


def _is_slow(image: ImageFile.ImageFile, stream: BinaryIO, pixels: int) -> bool:
    """Return True if decoding takes long for the number of pixels.

    Raises:
        ImageError: if the file is a JPEG with so many scans that only a hostile file has them.
    """
    decoder = image.tile[0][0] if image.tile else ""
    if decoder == "ppm_plain":
        return stream.seek(0, 2) > _LARGE_PLAIN_BYTES
    if decoder == "bmp_rle":
        return pixels > _LARGE_RUNS_PIXELS
    return "progressive" in image.info and pixels * count_scans(stream) > _LARGE_SCANS


def _open_tiff(stream: BinaryIO, max_pixels: int, page: int | None) -> OpenedImage:
    header = read_tiff_header(stream, page or 1)
    pixels = check_size((header.width, header.height), max_pixels)
    header.require_readable()
    notes = ("first of several pages",) if header.more_pages and page is None else ()
    if header.needs_opencv:
        read = functools.partial(_read_deep_tiff, stream, header, notes, page or 1)
        deep_bytes = max(_DEEP_BYTES, header.channels * header.bits // 4 + 4)
        return OpenedImage(pixels * deep_bytes, True, read)
    stream.seek(0)
    image = _READERS["TIFF"](stream)
    image.seek((page or 1) - 1)
    # libtiff prints messages about corrupt data, which cannot be switched off through Pillow.
    needs_helper = pixels > _LARGE_PIXELS or header.compressed
    read = functools.partial(_read_tiff, image, header, notes)
    return OpenedImage(pixels * _bytes_per_pixel(image), needs_helper, read)


def _read_tiff(image: Image.Image, header: TiffHeader, notes: tuple[str, ...]) -> DecodedImage:
    if not keeps_all_bits(image):
        return read_pillow(image, notes)
    image.load()
    values = deep_values(image)
    if header.unsigned and values.dtype == np.int32:  # Pillow has no unsigned 32-bit mode
        values = values.view(np.uint32)
    return scaled(values, notes=notes, white_is_zero=header.white_is_zero)


def _read_deep(stream: BinaryIO) -> DecodedImage:
    return scaled(read_all_bits(stream))


def _read_deep_png(stream: BinaryIO, image: Image.Image) -> DecodedImage:
    image.load()  # raises if the file is corrupt, where OpenCV would print a message
    orientation = orientation_of(image)
    image.im = None  # type: ignore[assignment]  # frees the pixels
    return scaled(read_all_bits(stream), orientation)


def _read_deep_tiff(
    stream: BinaryIO, header: TiffHeader, notes: tuple[str, ...], page: int
) -> DecodedImage:
    # OpenCV applies the orientation of a TIFF.
    values = read_all_bits(stream) if page == 1 else read_all_bits_of_page(stream, page)
    if values.ndim == 3 and not header.alpha:
        values = values[..., :3]
    return scaled(values, notes=notes)


def pillow_reader(image_format: str) -> Callable[[BinaryIO], ImageFile.ImageFile]:
    """Pillow's reader of a format; `Image.open` would apply a limit global to the process."""
    return _PLUGINS[image_format]() if image_format in _PLUGINS else _READERS[image_format]


def _bytes_per_pixel(image: Image.Image) -> int:
    return _DEEP_BYTES if keeps_all_bits(image) else _PILLOW_BYTES


def check_size(size: tuple[int, int], max_pixels: int) -> int:
    """Return the number of pixels.

    Raises:
        ImageError: if it is 0 or above the limit.
    """
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"The image has no pixels (size {width} x {height}).")
    if width * height > max_pixels:
        raise ImageError(
            f"The image has {width} x {height} = {width * height:,} pixels, more than the limit of "
            f"{max_pixels:,}; raise `max_pixels` if you trust the file.",
            too_large=True,
        )
    return width * height


def _frame_notes(image: ImageFile.ImageFile) -> tuple[str, ...]:
    if isinstance(image, GifImagePlugin.GifImageFile):  # to count frames, Pillow reads all of them
        return ("first of several frames",) if image.is_animated else ()
    count = getattr(image, "n_frames", 1)
    return (f"first of {count} frames",) if count > 1 else ()
