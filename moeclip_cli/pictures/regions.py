"""Pictures of regions: cut out of the image, and white on black."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.tiles.grid import Box

# What is added on each side: a share of the longer side, and pixels.
_MARGIN, _LEAST_MARGIN = 0.25, 8


def cut_out(pixels: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The box of a region with a margin, as far as the image (H, W, 3) reaches."""
    more = max(_LEAST_MARGIN, round(_MARGIN * max(box.width, box.height)))
    x0, y0 = max(0, box.x0 - more), max(0, box.y0 - more)
    return pixels[y0 : box.y1 + more, x0 : box.x1 + more]


def mask_png(outlines: Iterable[Sequence[tuple[float, float]]], width: int, height: int) -> bytes:
    """A grey PNG file of an image's size: 255 inside the outlines of regions, else 0.

    Args:
        outlines: x and y of the corners of each.
        width: of the image in pixels.
        height: of the image in pixels.

    Raises:
        ImageError: if OpenCV cannot write a picture of this size.
    """
    mask = np.zeros((height, width), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.floor(outline).astype(np.int32)], 255)
    written, png = cv2.imencode(".png", mask)
    if not written:
        raise ImageError(f"A mask of {width} x {height} pixels cannot be written as PNG.")
    return png.tobytes()
