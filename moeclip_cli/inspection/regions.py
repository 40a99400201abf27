"""Connected regions of an anomaly map, with boxes in pixels of the original image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.components import components
from moeclip_cli.inspection.result import Region


def find_regions(
    probability: NDArray[np.float32], threshold: float, width: int, height: int
) -> tuple[Region, ...]:
    """Connected regions at or above `threshold`, largest first.

    Args:
        probability: (H, W) anomaly map in [0, 1].
        threshold: value at which a pixel belongs to a region.
        width: width of the original image in pixels.
        height: height of the original image in pixels.
    """
    return regions_of(probability >= threshold, probability, width, height)


def regions_of(
    above: NDArray[np.bool_], probability: NDArray[np.float32], width: int, height: int
) -> tuple[Region, ...]:
    """The connected parts of a mask, largest first.

    They are found at the resolution of the map, so a 100-megapixel image takes no longer than a
    small one; boxes are scaled to the original and rounded outwards.

    Args:
        above: (H, W), True where a pixel belongs to a region.
        probability: (H, W) anomaly map in [0, 1], for the peaks.
        width: width of the original image in pixels.
        height: height of the original image in pixels.
    """
    rows, columns = probability.shape
    x_scale, y_scale = width / columns, height / rows
    regions = []
    for part in components(above, probability):
        h, w = part.inside.shape
        regions.append(
            Region(
                x0=math.floor(part.x * x_scale),
                y0=math.floor(part.y * y_scale),
                x1=min(width, math.ceil((part.x + w) * x_scale)),
                y1=min(height, math.ceil((part.y + h) * y_scale)),
                area_fraction=len(part.values) / probability.size,
                peak=float(part.values.max()),
            )
        )
    return tuple(sorted(regions, key=lambda region: region.area_fraction, reverse=True))
