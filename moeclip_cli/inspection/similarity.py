"""How an image moved from the reference view: shifted, turned and scaled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.roi_shapes import Polygon
from moeclip_cli.tiles.grid import Box

# Pixels around a part that its interpolation reads.
_MARGIN = 4


@dataclass(frozen=True)
class Similarity:
    """Where the reference view, resized to the image, lies in the image.

    Coordinates are continuous: the first pixel reaches from 0 to 1.

    Attributes:
        shift_x: how far the centre of the view moved to the right, in pixels of the image.
        shift_y: how far it moved down, in pixels of the image.
        rotation: by how many degrees the view is turned clockwise.
        scale: how many times larger the view is.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    rotation: float = 0.0
    scale: float = 1.0

    @classmethod
    def of_matrix(cls, matrix: NDArray[np.float64], width: int, height: int) -> Similarity:
        """The similarity next to an affine transform (2, 3) from the view to the image."""
        (a, b, _), (c, d, _) = matrix.tolist()
        cosine, sine = (a + d) / 2, (c - b) / 2
        centre = np.array((width / 2, height / 2))
        shift_x, shift_y = matrix[:, :2] @ centre + matrix[:, 2] - centre
        rotation = math.degrees(math.atan2(sine, cosine))
        return cls(float(shift_x), float(shift_y), rotation, math.hypot(cosine, sine))

    def matrix(self, width: int, height: int) -> NDArray[np.float64]:
        """The transform (2, 3) from points of the view to points of the image.

        Args:
            width: of the image in pixels.
            height: of the image in pixels.
        """
        angle = math.radians(self.rotation)
        cosine, sine = self.scale * math.cos(angle), self.scale * math.sin(angle)
        turned = np.array(((cosine, -sine), (sine, cosine)))
        centre = np.array((width / 2, height / 2))
        moved = centre - turned @ centre + np.array((self.shift_x, self.shift_y))
        return np.column_stack((turned, moved))

    def covered(
        self, width: int, height: int, window: Box, shape: tuple[int, int] | None = None
    ) -> NDArray[np.bool_]:
        """Which cells of a grid over a window of the view the image shows.

        Args:
            width: of the image in pixels.
            height: of the image in pixels.
            window: the window, in pixels of the view.
            shape: rows and columns of the grid; one cell for each pixel by default.
        """
        rows, columns = shape or (window.height, window.width)
        back = cv2.invertAffineTransform(self.matrix(width, height))
        corners = np.array(((0, 0), (width, 0), (width, height), (0, height)))
        points = tuple((float(x), float(y)) for x, y in _moved(back, corners))
        shown = Polygon(points, (width, height))
        return shown.covers(width, height, window, rows, columns)

    def cut(self, pixels: NDArray[np.uint8], window: Box) -> NDArray[np.uint8]:
        """A window of the view as the image (H, W, 3) shows it; edges are continued outside."""
        height, width = pixels.shape[:2]
        around = self.to_image(window, width, height, _MARGIN)
        part = pixels[around.y0 : around.y1, around.x0 : around.x1]
        matrix = of_pixels(self.matrix(width, height))
        matrix[:, 2] += matrix[:, :2] @ (window.x0, window.y0)
        matrix[:, 2] -= around.x0, around.y0
        cut: NDArray[np.uint8] = cv2.warpAffine(
            part,
            matrix,
            (window.width, window.height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return cut

    def to_image(self, window: Box, width: int, height: int, margin: int = 0) -> Box:
        """The box in the image around a window of the view, inside the image.

        Args:
            window: the window, in pixels of the view.
            width: of the image in pixels.
            height: of the image in pixels.
            margin: pixels to add on each side.
        """
        x0, y0, x1, y1 = window
        corners = np.array(((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
        points = _moved(self.matrix(width, height), corners)
        low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
        limits = (width, height)
        first = [
            max(0, min(int(at) - margin, end - 1)) for at, end in zip(low, limits, strict=True)
        ]
        last = [
            min(end, max(int(at) + margin, start + 1))
            for at, start, end in zip(high, first, limits, strict=True)
        ]
        return Box(first[0], first[1], last[0], last[1])

    def map_to_image(
        self, values: NDArray[np.float32], width: int, height: int
    ) -> NDArray[np.float32]:
        """A map over the view (h, w) as one over the image of the same size; 0 outside the view.

        Args:
            values: the map, which has any number of pixels.
            width: of the image in pixels.
            height: of the image in pixels.
        """
        rows, columns = values.shape
        scale = np.array((columns / width, rows / height))
        matrix = self.matrix(width, height)
        on_map = np.column_stack((matrix[:, :2] * scale[:, None] / scale, matrix[:, 2] * scale))
        moved: NDArray[np.float32] = cv2.warpAffine(values, of_pixels(on_map), (columns, rows))
        return moved

    def resized(self, factor: float) -> Similarity:
        """The same for an image whose sides are `factor` times as long."""
        return Similarity(self.shift_x * factor, self.shift_y * factor, self.rotation, self.scale)

    def rounded(self) -> Similarity:
        """The same to a thousandth of a pixel, as a table gives it back."""
        return Similarity(
            round(self.shift_x, 3),
            round(self.shift_y, 3),
            round(self.rotation, 4),
            round(self.scale, 6),
        )


def _moved(matrix: NDArray[np.float64], points: NDArray[np.int64]) -> NDArray[np.float64]:
    """Points (n, 2) after a transform."""
    moved: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def of_pixels(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The transform for OpenCV, which counts from the centre of the first pixel."""
    moved = matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] - 0.5
    return np.column_stack((matrix[:, :2], moved))


def of_points(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `of_pixels`."""
    moved = matrix[:, 2] + 0.5 - matrix[:, :2] @ (0.5, 0.5)
    return np.column_stack((matrix[:, :2], moved))
