"""Connected parts of an anomaly map at or above a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Component:
    """A connected part of a map (H, W).

    Attributes:
        x, y: left and top edge of its box in pixels of the map.
        inside: (h, w) bool, the part in its box.
        values: (n,) the values of the map in it.
    """

    x: int
    y: int
    inside: NDArray[np.bool_]
    values: NDArray[np.float32]


def components(probability: NDArray[np.float32], threshold: float) -> Iterator[Component]:
    """The parts of a map (H, W) at or above `threshold`, in the order of their first pixels.

    Pixels that touch at an edge or corner are connected.
    """
    above = (probability >= threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    for label in range(1, count):  # 0 is the background
        x, y, w, h, _ = (int(value) for value in stats[label])
        window = np.s_[y : y + h, x : x + w]
        inside = labels[window] == label
        yield Component(x, y, inside, probability[window][inside])
