"""Shapes of a region to inspect: boxes, polygons and masks, on images of any size."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.tiles.grid import Box

_NUMBER = r"\s*(-?\d+(?:\.\d+)?)\s*(%|px|)\s*"
_BOX = re.compile(",".join([_NUMBER] * 4))
# Fractions of a pixel in polygons that OpenCV fills: 4 bits.
_BITS = 4


class Shape(Protocol):
    """A set of pixels of an image."""

    def bounds(self, width: int, height: int) -> Box:
        """A box around the shape on an image of this size; it may extend beyond the image.

        Raises:
            ImageError: if the shape is for images of another aspect ratio.
        """

    def covers(
        self, width: int, height: int, window: Box, rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """Whether the centres of the cells of a grid over a window of the image are inside.

        Args:
            width: of the image in pixels.
            height: of the image in pixels.
            window: the window.
            rows: of the grid.
            columns: of the grid.

        Returns:
            (rows, columns).
        """

    def to_json(self) -> dict[str, Any]:
        """The shape in JSON types; `shape_from_json` reads them."""


@dataclass(frozen=True)
class BoxShape:
    """A rectangle, each edge in pixels or in percent of the image.

    Attributes:
        text: "x0,y0,x1,y1"; the last two are exclusive.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> BoxShape | None:
        """The box that a text stands for; None if it does not look like one.

        Raises:
            UsageError: if the box is empty.
        """
        found = _BOX.fullmatch(text)
        if found is None:
            return None
        parts = found.groups()
        for low, high in ((0, 4), (2, 6)):
            same_unit = (parts[low + 1] == "%") == (parts[high + 1] == "%")
            if same_unit and float(parts[low]) >= float(parts[high]):
                raise UsageError(
                    f"The box {text} is empty; give the left, top, right and bottom edge, such as "
                    "10%,10%,90%,90%."
                )
        return cls(re.sub(r"\s|px", "", text))

    def _edges(self, width: int, height: int) -> tuple[float, ...]:
        lengths = (width, height, width, height)
        return tuple(
            float(part.removesuffix("%")) * (length / 100 if part.endswith("%") else 1)
            for part, length in zip(self.text.split(","), lengths, strict=True)
        )

    def bounds(self, width: int, height: int) -> Box:
        """See `Shape.bounds`."""
        x0, y0, x1, y1 = self._edges(width, height)
        return Box(round(x0), round(y0), round(x1), round(y1))

    def covers(
        self, width: int, height: int, window: Box, rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """See `Shape.covers`."""
        box = self.bounds(width, height)
        x, y = _centres(window, rows, columns)
        across, down = (x >= box.x0) & (x < box.x1), (y >= box.y0) & (y < box.y1)
        inside: NDArray[np.bool_] = down[:, None] & across
        return inside

    def to_json(self) -> dict[str, Any]:
        """See `Shape.to_json`."""
        return {"box": self.text}


@dataclass(frozen=True)
class Polygon:
    """A polygon that was drawn on an image.

    Attributes:
        points: x and y of the corners in pixels of that image.
        size: its width and height.
    """

    points: tuple[tuple[float, float], ...]
    size: tuple[int, int]

    def bounds(self, width: int, height: int) -> Box:
        """See `Shape.bounds`."""
        x, y = self._scaled(width, height).T
        low, high = (np.floor((x.min(), y.min())), np.ceil((x.max(), y.max())))
        return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))

    def covers(
        self, width: int, height: int, window: Box, rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """See `Shape.covers`."""
        points = self._scaled(width, height) - (window.x0, window.y0)
        points = points * (columns / window.width, rows / window.height) - 0.5
        filled = np.zeros((rows, columns), np.uint8)
        corners = np.round(points * 2**_BITS).astype(np.int32)
        cv2.fillPoly(filled, [corners], 1, shift=_BITS)
        return filled.astype(bool)

    def to_json(self) -> dict[str, Any]:
        """See `Shape.to_json`."""
        return {"polygon": [list(point) for point in self.points], "size": list(self.size)}

    def _scaled(self, width: int, height: int) -> NDArray[np.float64]:
        require_alike("polygon of the region", self.size, width, height)
        return np.array(self.points) * (width / self.size[0], height / self.size[1])


@dataclass(frozen=True, eq=False)
class Mask:
    """The white pixels of a mask.

    Attributes:
        inside: (H, W) bool, at least one of them true.
    """

    inside: NDArray[np.bool_]

    @cached_property
    def _extent(self) -> Box:
        rows, columns = (np.flatnonzero(self.inside.any(axis=axis)) for axis in (1, 0))
        return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    def bounds(self, width: int, height: int) -> Box:
        """See `Shape.bounds`."""
        rows, columns = self.inside.shape
        require_alike("mask of the region", (columns, rows), width, height)
        x_scale, y_scale = width / columns, height / rows
        x0, y0, x1, y1 = self._extent
        return Box(
            int(np.floor(x0 * x_scale)),
            int(np.floor(y0 * y_scale)),
            int(np.ceil(x1 * x_scale)),
            int(np.ceil(y1 * y_scale)),
        )

    def covers(
        self, width: int, height: int, window: Box, rows: int, columns: int
    ) -> NDArray[np.bool_]:
        """See `Shape.covers`."""
        own_rows, own_columns = self.inside.shape
        require_alike("mask of the region", (own_columns, own_rows), width, height)
        x, y = _centres(window, rows, columns)
        across = np.clip((x * own_columns / width).astype(np.intp), 0, own_columns - 1)
        down = np.clip((y * own_rows / height).astype(np.intp), 0, own_rows - 1)
        return self.inside[np.ix_(down, across)]

    def to_json(self) -> dict[str, Any]:
        """See `Shape.to_json`: the mask as a PNG file, in Base64."""
        packed = self.inside.astype(np.uint8) * 255
        _, png = cv2.imencode(".png", packed, [cv2.IMWRITE_PNG_BILEVEL, 1])
        return {"mask": base64.b64encode(png.tobytes()).decode()}


def shape_from_json(content: Any) -> Shape:
    """Read what `Shape.to_json` gives.

    Raises:
        ValueError, TypeError, LookupError, AttributeError: if it is anything else.
    """
    if "box" in content:
        box = BoxShape.parse(content["box"])
        if box is None:
            raise ValueError("not a box")
        return box
    if "polygon" in content:
        width, height = (int(side) for side in content["size"])
        points = tuple((float(x), float(y)) for x, y in content["polygon"])
        if min(width, height) < 1 or len(points) < 3:
            raise ValueError("not a polygon")
        return Polygon(points, (width, height))
    try:
        png = np.frombuffer(base64.b64decode(content["mask"], validate=True), np.uint8)
    except binascii.Error as error:
        raise ValueError("not Base64") from error
    decoded = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE) if png.size else None
    if decoded is None or not decoded.any():
        raise ValueError("not a mask")
    return Mask(decoded > 0)


def require_alike(what: str, size: tuple[int, int], width: int, height: int) -> None:
    """Check that something fits images of this size, which may differ by a factor.

    Args:
        what: a shape or the reference view, in words.
        size: its width and height in pixels.
        width: of the image in pixels.
        height: of the image in pixels.

    Raises:
        ImageError: if the aspect ratio differs by more than rounding to whole pixels explains.
    """
    own_width, own_height = size
    off = abs(own_width * height - own_height * width)
    if off > max(width, height, own_width, own_height):
        raise ImageError(
            f"The {what} is for {own_width} x {own_height} pixels, the image has "
            f"{width} x {height}; give one of the same size or aspect ratio."
        )


def _centres(window: Box, rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """X and y of the centres of the cells of a grid over a window."""
    x = window.x0 + (np.arange(columns) + 0.5) * (window.width / columns)
    y = window.y0 + (np.arange(rows) + 0.5) * (window.height / rows)
    return x, y
