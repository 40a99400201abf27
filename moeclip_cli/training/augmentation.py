"""Random augmentation of an image together with its mask."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.training.configuration import Augmentation


def augment(
    image: NDArray[np.float32],
    mask: NDArray[np.uint8],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Rotate about the centre, shift and flip; pixels from outside the image are 0 in both.

    In a normalised image 0 is CLIP's mean colour. As in the authors' code, a pixel takes the value
    of the nearest one and shifts are whole pixels: bilinear interpolation would blur noise and fine
    texture.

    Args:
        image: (S, S, 3) normalised.
        mask: (S, S), 1 where anomalous, else 0.
        augmentation: ranges and probabilities.
        rng: source of random numbers; the same number is drawn whatever is applied.

    Returns:
        Image and mask, of the same shapes.
    """
    size = mask.shape[0]
    chance = rng.random(4)
    angle = rng.uniform(-1, 1) * augmentation.rotation
    shift = rng.uniform(-1, 1, 2) * augmentation.translation * size
    if chance[0] < augmentation.rotation_p:
        columns, rows = _rotation_sources(size, angle)
        image, mask = _taken_from(image, columns, rows), _taken_from(mask, columns, rows)
    if chance[1] < augmentation.translation_p:
        right, down = (round(pixels) for pixels in shift.tolist())
        image, mask = _shifted(image, right, down), _shifted(mask, right, down)
    if chance[2] < augmentation.horizontal_flip_p:
        image, mask = image[:, ::-1], mask[:, ::-1]
    if chance[3] < augmentation.vertical_flip_p:
        image, mask = image[::-1], mask[::-1]
    return image, mask


def _rotation_sources(size: int, angle: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Column and row (S, S) that each pixel of a rotated square is taken from, whole numbers.

    Args:
        size: side S of the square in pixels.
        angle: in degrees, counter-clockwise about the centre.
    """
    offset = np.arange(size) - (size - 1) / 2
    x, y = offset[np.newaxis, :], offset[:, np.newaxis]
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    columns = cosine * x - sine * y + (size - 1) / 2
    rows = sine * x + cosine * y + (size - 1) / 2
    return np.rint(columns).astype(np.float32), np.rint(rows).astype(np.float32)


def _taken_from(
    plane: NDArray[Any], columns: NDArray[np.float32], rows: NDArray[np.float32]
) -> NDArray[Any]:
    return cv2.remap(plane, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)


def _shifted(plane: NDArray[Any], right: int, down: int) -> NDArray[Any]:
    """The plane moved by whole pixels, 0 where nothing moved to."""
    height, width = plane.shape[:2]
    moved = np.zeros_like(plane)
    moved[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = plane[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    return moved
