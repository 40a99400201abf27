"""The peak of an anomaly map, in pixels of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def find_peak(probability: NDArray[np.float32], width: int, height: int) -> tuple[float, int, int]:
    """Maximum of the map, and x and y of the original pixel in the middle of its map pixel.

    Args:
        probability: (H, W) anomaly map in [0, 1]; of several equal maxima, the first one counts.
        width: width of the original image in pixels.
        height: height of the original image in pixels.
    """
    rows, columns = probability.shape
    row, column = divmod(int(probability.argmax()), columns)
    x, y = (2 * column + 1) * width // (2 * columns), (2 * row + 1) * height // (2 * rows)
    return float(probability[row, column]), x, y
