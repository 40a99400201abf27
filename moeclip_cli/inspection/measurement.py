"""Sizes of the regions of an anomaly map, in pixels of the original image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.components import Component, components


@dataclass(frozen=True)
class MeasuredRegion:
    """A connected region of the anomaly map at or above the threshold, measured.

    Lengths are in original pixels. They are as exact as the map, whose pixels can be several
    original ones wide.

    Attributes:
        x0, y0, x1, y1: bounding box; x1 and y1 are exclusive.
        centre_x, centre_y: centre of the rotated box, the smallest rectangle around the region.
        length, width: longer and shorter side of the rotated box.
        angle: direction of the longer side in degrees, from 0 (along the rows) clockwise to 180.
        area: area of the region.
        peak: highest anomaly probability inside it.
        mean: mean anomaly probability inside it.
        outline: x and y of the corners of a polygon around it; holes are filled.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    centre_x: float
    centre_y: float
    length: float
    width: float
    angle: float
    area: float
    peak: float
    mean: float
    outline: tuple[tuple[float, float], ...]


def measure_regions(
    probability: NDArray[np.float32],
    threshold: float,
    width: int,
    height: int,
    min_area: float = 0,
) -> tuple[MeasuredRegion, ...]:
    """Connected regions at or above `threshold`, largest first, as `find_regions` finds them.

    Args:
        probability: (H, W) anomaly map in [0, 1].
        threshold: value at which a pixel belongs to a region.
        width: width of the original image in pixels.
        height: height of the original image in pixels.
        min_area: area in original pixels below which regions are left out.
    """
    rows, columns = probability.shape
    scale = np.array((width / columns, height / rows))
    parts = components(probability >= threshold, probability)
    measured = (_measured(part, scale, width, height) for part in parts)
    kept = [region for region in measured if region.area >= min_area]
    return tuple(sorted(kept, key=lambda region: region.area, reverse=True))


def _measured(
    part: Component, scale: NDArray[np.float64], width: int, height: int
) -> MeasuredRegion:
    rows, columns = part.inside.shape
    low = np.array((part.x, part.y)) * scale
    high = np.array((part.x + columns, part.y + rows)) * scale
    centre, size, angle = _rotated_box(part, scale)
    return MeasuredRegion(
        x0=math.floor(low[0]),
        y0=math.floor(low[1]),
        x1=min(width, math.ceil(high[0])),
        y1=min(height, math.ceil(high[1])),
        centre_x=centre[0],
        centre_y=centre[1],
        length=max(size),
        width=min(size),
        angle=angle,
        area=float(len(part.values) * scale.prod()),
        peak=float(part.values.max()),
        mean=float(part.values.mean()),
        outline=_outline(part, scale),
    )


def _rotated_box(
    part: Component, scale: NDArray[np.float64]
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Centre, sides and angle of the longer side of the smallest rectangle around the pixels."""
    points = _contour(part.inside)
    corners = [points + offset for offset in ((0, 0), (1, 0), (0, 1), (1, 1))]
    outer = (np.concatenate(corners) + np.array((part.x, part.y))) * scale
    centre, (first, second), degrees = cv2.minAreaRect(outer.astype(np.float32))
    angle = degrees if first >= second else degrees + 90
    return (float(centre[0]), float(centre[1])), (float(first), float(second)), float(angle % 180)


def _outline(part: Component, scale: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """The corners of a polygon along the edge of the pixels, a quarter of a pixel inside."""
    # At twice the resolution, so that a line of single pixels has two sides.
    points = _contour(part.inside.repeat(2, axis=0).repeat(2, axis=1))
    placed = ((points + 0.5) / 2 + np.array((part.x, part.y))) * scale
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in placed)


def _contour(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The corners of the outer edge through the centres of the pixels, (n, 2) x and y."""
    contours, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    points: NDArray[np.float64] = max(contours, key=len)[:, 0].astype(np.float64)
    return points
