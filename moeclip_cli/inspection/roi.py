"""The region of interest: which pixels of an image are inspected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.inspection.roi_shapes import Shape, shape_from_json
from moeclip_cli.tiles.grid import Box


@dataclass(frozen=True)
class RegionOfInterest:
    """Shapes to inspect without shapes to ignore, the same on all images.

    Attributes:
        region: what to inspect; the whole image if there is none.
        ignore: what to leave out.
    """

    region: tuple[Shape, ...] = ()
    ignore: tuple[Shape, ...] = ()

    @classmethod
    def from_json(cls, content: Any) -> RegionOfInterest:
        """Read what `to_json` gives.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: if it is anything else.
        """
        region, ignore = (
            tuple(map(shape_from_json, content[name])) for name in ("region", "ignore")
        )
        return cls(region, ignore)

    def for_image(self, path: str) -> RegionOfInterest:
        """The region of the image at a path: the same for all."""
        return self

    def to_json(self) -> Mapping[str, Any]:
        """The region in JSON types."""
        return {
            "region": [shape.to_json() for shape in self.region],
            "ignore": [shape.to_json() for shape in self.ignore],
        }

    def bounds(self, width: int, height: int) -> Box:
        """The smallest box around the shapes to inspect, inside an image of this size.

        Raises:
            ImageError: if they lie outside the image or do not fit it.
        """
        if not self.region:
            return Box(0, 0, width, height)
        boxes = [shape.bounds(width, height) for shape in self.region]
        found = Box(
            max(0, min(box.x0 for box in boxes)),
            max(0, min(box.y0 for box in boxes)),
            min(width, max(box.x1 for box in boxes)),
            min(height, max(box.y1 for box in boxes)),
        )
        if found.width <= 0 or found.height <= 0:
            raise ImageError(
                f"The region lies outside the image, which has {width} x {height} pixels; check "
                "`region`."
            )
        return found

    def covers(
        self, width: int, height: int, window: Box, shape: tuple[int, int] | None = None
    ) -> NDArray[np.bool_]:
        """Which cells of a grid over a window of an image are inspected.

        Args:
            width: of the image in pixels.
            height: of the image in pixels.
            window: the window.
            shape: rows and columns of the grid; one cell for each pixel by default.

        Raises:
            ImageError: if a shape does not fit the image.
        """
        rows, columns = shape or (window.height, window.width)
        inside = np.full((rows, columns), not self.region)
        for each in self.region:
            inside |= each.covers(width, height, window, rows, columns)
        for each in self.ignore:
            inside &= ~each.covers(width, height, window, rows, columns)
        return inside


def any_in_cells(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """Whether the cells of a grid over a mask (h, w) contain a pixel that is set, (rows, columns).

    If there are more cells than pixels, a cell has the value of the pixel below it.
    """
    height, width = mask.shape
    down = np.logical_or.reduceat(mask, np.arange(rows) * height // rows, axis=0)
    found: NDArray[np.bool_] = np.logical_or.reduceat(
        down, np.arange(columns) * width // columns, axis=1
    )
    return found
