"""From decoded pixels to the network's input, as the MoECLIP authors do it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

# CLIP's statistics over its training images (Radford et al., 2021), for RGB in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def preprocess(pixels: NDArray[np.uint8], size: int) -> torch.Tensor:
    """Resizes to a square and normalises by CLIP's mean and standard deviation.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        size: side of the network's input in pixels.

    Returns:
        (3, size, size) float32.
    """
    channels = resize_to_square(pixels, size).transpose(2, 0, 1)
    # In numpy, as torch would start threads of its own in each thread that loads images.
    normalised = np.divide(channels, 255, dtype=np.float32, order="C")
    normalised -= np.array(MEAN, dtype=np.float32)[:, None, None]
    normalised /= np.array(STD, dtype=np.float32)[:, None, None]
    return torch.from_numpy(normalised)


def resize_to_square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resizes to (size, size, 3) uint8 by Pillow's antialiased bicubic filter.

    The ratio of the sides is not kept. Pixels that have the size already come out unchanged.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        size: side of the square in pixels.
    """
    square = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)
    return np.array(square)
