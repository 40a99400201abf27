"""From decoded pixels to the network's input."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.images.resized import normalised
from moeclip_cli.model.preprocessing import Preprocessing


def preprocess(
    pixels: NDArray[np.uint8], size: int | tuple[int, int], preprocessing: Preprocessing
) -> torch.Tensor:
    """Resize and normalise, as a backbone expects it.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        size: height and width of the network's input in pixels, or the side of a square.
        preprocessing: of the backbone.

    Returns:
        (3, height, width) float32.
    """
    height, width = (size, size) if isinstance(size, int) else size
    return torch.from_numpy(normalised(pixels, height, width, preprocessing))
