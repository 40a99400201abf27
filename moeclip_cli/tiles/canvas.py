"""One map of an image from the maps of its tiles, without seams."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.tiles.grid import Box

# Pixels of a blended map. A finer one would tell nothing more, since a patch of 200 megapixels in
# tiles of 448 is still 2 pixels wide, and takes 800 MB.
_MOST_PIXELS = 2**22


def canvas_shape(size: tuple[int, int], resolution: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns of a blended map.

    Args:
        size: width and height of the image in pixels.
        resolution: pixels of the maps that are blended per pixel of the image, across and down.
    """
    columns, rows = (
        max(1.0, length * min(1.0, scale)) for length, scale in zip(size, resolution, strict=True)
    )
    shrink = min(1.0, math.sqrt(_MOST_PIXELS / (columns * rows)))
    return max(1, round(rows * shrink)), max(1, round(columns * shrink))


class MapCanvas:
    """Maps of overlapping boxes of an image, blended.

    In an overlap, the weight of each box falls linearly to 0 towards its edge, so that values
    change gradually from one to the next; the weights of a pixel are divided by their sum, so that
    equal maps give the same map again. Where no box is, the map is 0.

    Memory does not grow with the number of boxes, nor with the image beyond 4 megapixels of map.

    Args:
        size: width and height of the image in pixels.
        resolution: pixels of the maps that are added per pixel of the image, across and down.
        area: what the boxes cover together; there is no other box beyond its edges.
        overlap: share of a box that its neighbour covers, too.
        layers: number of maps of each box.
    """

    def __init__(
        self,
        size: tuple[int, int],
        resolution: tuple[float, float],
        area: Box,
        overlap: float,
        layers: int,
    ) -> None:
        self._width, self._height = size
        self._rows, self._columns = canvas_shape(size, resolution)
        self._area = area
        self._overlap = overlap
        self._sums = np.zeros((layers, self._rows, self._columns), np.float32)
        self._weights = np.zeros((self._rows, self._columns), np.float32)

    def add(self, box: Box, maps: Sequence[NDArray[np.float32]]) -> None:
        """Add the maps (h, w) of a box, one for each layer."""
        x0, x1 = _interval(box.x0, box.x1, self._width, self._columns)
        y0, y1 = _interval(box.y0, box.y1, self._height, self._rows)
        across = self._ramp(x1 - x0, box.x0 > self._area.x0, box.x1 < self._area.x1)
        down = self._ramp(y1 - y0, box.y0 > self._area.y0, box.y1 < self._area.y1)
        weights = down[:, None] * across
        for layer, values in zip(self._sums, maps, strict=True):
            layer[y0:y1, x0:x1] += weights * _resized(values, y1 - y0, x1 - x0)
        self._weights[y0:y1, x0:x1] += weights

    def blended(self) -> NDArray[np.float32]:
        """The blended maps, (layers, rows, columns)."""
        covered = self._weights > 0
        return np.divide(self._sums, self._weights, out=np.zeros_like(self._sums), where=covered)

    def _ramp(self, length: int, before: bool, after: bool) -> NDArray[np.float32]:
        """Weights along a side; they fall off where another box follows."""
        weights = np.ones(length, np.float32)
        if self._overlap == 0:
            return weights
        rising = (np.arange(length, dtype=np.float32) + 0.5) / (length * self._overlap)
        if before:
            weights = np.minimum(weights, rising)
        if after:
            weights = np.minimum(weights, rising[::-1])
        return weights


def _interval(start: int, end: int, length: int, pixels: int) -> tuple[int, int]:
    """Pixels of the map for pixels of the image, at least one."""
    first = min(round(start * pixels / length), pixels - 1)
    return first, max(first + 1, round(end * pixels / length))


def _resized(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """The map at another size, averaged where it shrinks."""
    if values.shape == (rows, columns):
        return values
    shrinks = rows <= values.shape[0] and columns <= values.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: NDArray[np.float32] = cv2.resize(values, (columns, rows), interpolation=kind)
    return resized
