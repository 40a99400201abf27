"""The network input of an image, whose size depends on the network."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.model.frozen_tower import FrozenTower
from moeclip_cli.model.moeclip import MoECLIP

LeveledNetwork: TypeAlias = "MoECLIP | FrozenTower"
"""A network whose `levels` gives patch tokens."""


def network_input(
    pixels: NDArray[np.uint8], network: LeveledNetwork, side: int | None = None
) -> torch.Tensor:
    """An image, resized and normalised for a network.

    Args:
        pixels: (h, w, 3) uint8 RGB.
        network: a MoECLIP takes a square, a frozen tower the aspect ratio of the image.
        side: side in pixels of the network input of a square image; the network's own by default.

    Returns:
        (3, H, W) float32.
    """
    height, width = pixels.shape[:2]
    size = network.input_size(height, width, side or network.config.image_size)
    return preprocess(pixels, size, network.preprocessing)
