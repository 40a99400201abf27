"""From an image that Pillow has opened to upright 8-bit RGB.

Pictures are converted in strips, so that no second copy of one is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.errors import ImageError
from moeclip_cli.images.high_bit_depth import scale_to_8_bits
from moeclip_cli.images.orientation import as_stored, lies_sideways, orientation_of, upright
from moeclip_cli.images.strips import STRIP_PIXELS, strips


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as a viewer shows it.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright, or (H, W) of a mask; treat as read-only.
        notes: remarks on the decoding for the user, such as "first of 3 frames".
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def read_pillow(image: Image.Image, notes: tuple[str, ...] = ()) -> DecodedImage:
    """Decode an image that Pillow has opened; alpha is shown over white.

    Args:
        image: of any mode.
        notes: remarks that precede those on the decoding.

    Raises:
        ImageError: if its colours cannot be converted.
        OSError, SyntaxError, ValueError: of Pillow, if the file is corrupt.
    """
    image.load()
    if keeps_all_bits(image):
        return scaled(deep_values(image), orientation_of(image), notes)
    require_known_colours(image)
    orientation = orientation_of(image)
    width, height = image.size
    size = (width, height) if lies_sideways(orientation) else (height, width)
    pixels = np.empty((*size, 3), dtype=np.uint8)
    stored = as_stored(pixels, orientation)
    transparent = False
    for rows, part in _parts(image):
        colour = part
        if image.has_transparency_data:
            colour = part.convert("RGBA")
            if colour.getchannel("A").getextrema() != (255, 255):
                background = Image.new("RGBA", part.size, "white")
                background.alpha_composite(colour)
                colour, transparent = background, True
        stored[rows] = np.asarray(colour if colour.mode == "RGB" else colour.convert("RGB"))
    if transparent:
        notes += ("transparent parts shown over white",)
    return DecodedImage(pixels, notes)


def deep_values(image: Image.Image) -> NDArray[Any]:
    """Return the values (H, W) of a grey image with more than 8 bits."""
    parts = _parts(image)
    rows, part = next(parts)
    first = np.asarray(part)
    values = np.empty((image.height, image.width), dtype=first.dtype)
    values[rows] = first
    for rows, part in parts:
        values[rows] = np.asarray(part)
    return values


def _parts(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the strips of an image with their rows; a small image is one strip."""
    if image.width * image.height <= STRIP_PIXELS:
        yield slice(0, image.height), image
        return
    for rows in strips(image.height, image.width):
        yield rows, image.crop((0, rows.start, image.width, rows.stop))


def scaled(
    values: NDArray[Any],
    orientation: int = 1,
    notes: tuple[str, ...] = (),
    white_is_zero: bool = False,
) -> DecodedImage:
    """Scale values of more than 8 bits; with `white_is_zero` they are inverted."""
    pixels, scaling_notes = scale_to_8_bits(values)
    del values
    if white_is_zero:
        np.subtract(255, pixels, out=pixels)
    turned = upright(pixels, orientation)
    if turned.ndim == 2:
        turned = np.repeat(turned[..., np.newaxis], 3, axis=2)
    return DecodedImage(turned, notes + scaling_notes)


def require_known_colours(image: Image.Image) -> None:
    """Refuse colours that Pillow cannot convert.

    Raises:
        ImageError: if the image has such.
    """
    if image.mode == "LAB":
        raise ImageError("The image is in the LAB colour space; convert it to RGB.")


def keeps_all_bits(image: Image.Image) -> bool:
    """Return True if Pillow itself stores more than 8 bits per value (grey images only)."""
    return image.mode.startswith(("I", "F"))
