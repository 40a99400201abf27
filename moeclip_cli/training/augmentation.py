"""Random augmentation of an image together with its mask."""

from __future__ import annotations

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

    In a normalised image 0 is CLIP's mean colour. Rotation and shift are one interpolation,
    bilinear for the image and nearest-neighbour for the mask.

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
    rotated = chance[0] < augmentation.rotation_p
    shifted = chance[1] < augmentation.translation_p
    if rotated or shifted:
        centre = (size - 1) / 2
        move = cv2.getRotationMatrix2D((centre, centre), angle if rotated else 0.0, 1.0)
        move[:, 2] += shift if shifted else 0
        image = cv2.warpAffine(image, move, (size, size), flags=cv2.INTER_LINEAR)
        mask = cv2.warpAffine(mask, move, (size, size), flags=cv2.INTER_NEAREST)
    if chance[2] < augmentation.horizontal_flip_p:
        image, mask = image[:, ::-1], mask[:, ::-1]
    if chance[3] < augmentation.vertical_flip_p:
        image, mask = image[::-1], mask[::-1]
    return image, mask
