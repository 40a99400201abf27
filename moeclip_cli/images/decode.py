"""Decoding one image: whatever a camera, scanner or caller hands over -> upright 8-bit RGB.

Pillow decodes. Where it would keep only 8 bits of deeper colour, OpenCV reads the same file; see
`deep.py`. What cannot be decoded is an `ImageError` of one sentence.
"""

from __future__ import annotations

import errno
import logging
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
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
from moeclip_cli.images.deep import is_deep_png, is_deep_pnm, read_deep, scale_to_8_bits
from moeclip_cli.images.files import describe_system_error, identify, open_image_file
from moeclip_cli.images.tiff import read_tiff_header

# The largest sensors in phones have 200 megapixels; decoding one takes about 1.5 GB.
DEFAULT_MAX_PIXELS = 200_000_000

_READERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "PGM/PPM": PpmImagePlugin.PpmImageFile,
}

_ORIENTATION_TAG = 0x0112
_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}

# Damaged metadata is no reason to lose an image, and no news to somebody watching a progress bar.
# Appended, so that any filter of the caller's wins; the handler only keeps Python from printing.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.", append=True)
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as a person sees it.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright; not to be written to.
        notes: what a user may want to know about the way here, such as "first of 3 pages".
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def decode(
    source: Path | Image.Image | NDArray[np.uint8], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> DecodedImage:
    """Decodes an image to upright 8-bit RGB; safe to call from many threads.

    The content of a file decides its format, not the extension. Of several pages or frames the
    first is taken, EXIF orientation is applied, transparency is shown over white. Values of more
    than 8 bits are scaled so that the image's own minimum and maximum become 0 and 255.

    Args:
        source: a file, a Pillow image, or an array: (H, W, 3) uint8 RGB or (H, W) uint8 grey.
        max_pixels: largest width * height to decode; arrays are past that danger.

    Raises:
        ImageError: if it cannot be read, is no image, is damaged or is too large.
    """
    if isinstance(source, np.ndarray):
        return DecodedImage(_from_array(source))
    if isinstance(source, Image.Image):
        with _one_sentence("image"):
            return _from_pillow(source, max_pixels)
    with open_image_file(Path(source)) as stream:
        kind = identify(stream)
        with _one_sentence(f"{kind} file"):
            return _from_file(stream, kind, max_pixels)


def _from_array(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shape: tuple[int, ...] = array.shape
    if array.dtype != np.uint8 or len(shape) not in (2, 3) or shape[2:] not in ((), (3,)):
        raise ImageError(
            "An image array must be (height, width, 3) RGB or (height, width) grey of type uint8, "
            f"not {shape} of type {array.dtype}."
        )
    if array.size == 0:
        raise ImageError(f"The image array is empty; its shape is {shape}.")
    return array if len(shape) == 3 else np.repeat(array[..., np.newaxis], 3, axis=2)


@contextmanager
def _one_sentence(what: str) -> Iterator[None]:
    """Turns everything that decoding can raise into an ImageError."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"The {what} does not fit into memory; scale it down or use fewer --workers."
        ) from error
    except Exception as error:  # on broken bytes, Pillow's parsers raise nearly every type
        # Pillow's own errors have no number; EINVAL is an impossible offset in a damaged file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise ImageError(describe_system_error(error)) from error
        raise ImageError(
            f"The {what} is damaged, cut short or of a rare variant; copy or export it again."
        ) from error


def _from_file(stream: BinaryIO, kind: str, max_pixels: int) -> DecodedImage:
    if kind == "TIFF":
        return _from_tiff(stream, max_pixels)
    # Image.open would apply its own limit on pixels, which is one for the whole process.
    image = _READERS[kind](stream)
    _check_size(image.size, max_pixels)
    if kind == "PGM/PPM" and is_deep_pnm(stream):
        return _from_deep(read_deep(stream))
    if kind == "PNG" and is_deep_png(stream) and not _is_deep(image):
        image.load()  # finds damage, about which OpenCV's reader would print
        return _from_deep(read_deep(stream), _orientation(image))
    notes = _page_notes(getattr(image, "n_frames", 1), "frames")
    return _from_pillow(image, max_pixels, notes)


def _from_tiff(stream: BinaryIO, max_pixels: int) -> DecodedImage:
    header = read_tiff_header(stream)
    _check_size((header.width, header.height), max_pixels)
    header.require_readable()
    if header.beyond_pillow:
        values = read_deep(stream)  # OpenCV turns TIFFs upright by itself
        if values.ndim == 3 and not header.alpha:
            values = values[..., :3]
        return _from_deep(values, notes=("first of several pages",) if header.more_pages else ())
    stream.seek(0)
    image = _READERS["TIFF"](stream)
    notes = _page_notes(getattr(image, "n_frames", 1), "pages")
    if not _is_deep(image):
        return _from_pillow(image, max_pixels, notes)
    image.load()
    values = np.asarray(image)
    if header.unsigned and values.dtype == np.int32:  # Pillow has no unsigned 32-bit mode
        values = values.view(np.uint32)
    return _from_deep(values, notes=notes, negative=header.white_is_zero)


def _from_pillow(image: Image.Image, max_pixels: int, notes: tuple[str, ...] = ()) -> DecodedImage:
    """Decodes an image that Pillow has opened, perhaps without having read its pixels yet."""
    _check_size(image.size, max_pixels)
    image.load()
    if _is_deep(image):
        return _from_deep(np.asarray(image), _orientation(image), notes)
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        if colour.getchannel("A").getextrema() != (255, 255):
            paper = Image.new("RGBA", image.size, "white")
            paper.alpha_composite(colour)
            colour = paper
            notes += ("transparent parts shown over white",)
        pixels = np.asarray(colour.convert("RGB"))
    elif image.mode == "LAB":
        raise ImageError("The image is in the LAB colour space; convert it to RGB.")
    else:
        pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return DecodedImage(_upright(pixels, _orientation(image)), notes)


def _from_deep(
    values: NDArray[Any],
    orientation: int = 1,
    notes: tuple[str, ...] = (),
    negative: bool = False,
) -> DecodedImage:
    """Scales values of more than 8 bits; `negative` ones have white where 0 is."""
    pixels, scaling_notes = scale_to_8_bits(values)
    if negative:
        pixels = 255 - pixels
    return DecodedImage(_from_array(_upright(pixels, orientation)), notes + scaling_notes)


def _is_deep(image: Image.Image) -> bool:
    """Whether Pillow itself holds more than 8 bits a value (only grey images can)."""
    return image.mode.startswith(("I", "F"))


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"The image has no pixels; its size is {width} x {height}.")
    if width * height > max_pixels:
        raise ImageError(
            f"The image has {width} x {height} = {width * height:,} pixels, more than the limit of "
            f"{max_pixels:,}; raise it with --max-pixels if you trust the file."
        )


def _page_notes(count: int, name: str) -> tuple[str, ...]:
    return (f"first of {count} {name}",) if count > 1 else ()


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where metadata is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation not in _UPRIGHT:
        return pixels
    return np.ascontiguousarray(_UPRIGHT[orientation](pixels))
