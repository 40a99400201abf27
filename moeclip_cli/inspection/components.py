"""Connected parts of a mask over an anomaly map."""

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


def components(above: NDArray[np.bool_], probability: NDArray[np.float32]) -> Iterator[Component]:
    """The connected parts of a mask, in the order of their first pixels.

    Pixels that touch at an edge or corner are connected.

    Args:
        above: (H, W), True where a pixel belongs to a part.
        probability: (H, W) anomaly map, for the values.
    """
    rows, columns = (np.flatnonzero(above.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    top, left = int(rows[0]), int(columns[0])
    # Most maps have small parts, and labelling a map takes longer than anything else here.
    box = np.s_[top : rows[-1] + 1, left : columns[-1] + 1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        above[box].astype(np.uint8), connectivity=8
    )
    for label in range(1, count):  # 0 is the background
        x, y, w, h, _ = (int(value) for value in stats[label])
        window = np.s_[y : y + h, x : x + w]
        inside = labels[window] == label
        yield Component(left + x, top + y, inside, probability[box][window][inside])
