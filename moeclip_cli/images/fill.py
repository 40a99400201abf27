"""Filling parts of an image that must not be seen."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Side in pixels of the coarse picture that the colours come from.
_COARSE = 256


def fill_outside(pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image with smooth colours in place of the pixels that are not inside.

    The colours are means of the nearest pixels inside, so that the border makes no strong edge,
    and nothing that was outside is left.

    Args:
        pixels: (H, W, 3) uint8.
        inside: (H, W), at least one of them true.

    Returns:
        (H, W, 3) uint8, a copy.
    """
    height, width = inside.shape
    size = (max(1, min(width, _COARSE)), max(1, min(height, _COARSE)))
    filled = np.where(inside[..., None], pixels, np.uint8(0))
    weight = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(filled, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    known = weight > 0
    colours = sums / np.where(known, weight, 1)[..., None]
    # Each coarse pixel without one takes the colour of the nearest that has one.
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros((int(labels.max()) + 1, 3), np.float32)
    by_label[labels[known]] = colours[known]
    smooth = cv2.resize(by_label[labels], (width, height), interpolation=cv2.INTER_LINEAR)
    np.copyto(filled, smooth.clip(0, 255).round().astype(np.uint8), where=~inside[..., None])
    return filled
