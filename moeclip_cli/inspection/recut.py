"""The result of a scored image at another threshold, without a model."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.inspection.regions import regions_of
from moeclip_cli.inspection.result import Result, Row
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.similarity import Similarity
from moeclip_cli.inspection.verdicts import Threshold
from moeclip_cli.tiles.grid import Box

# What a table of 9 significant digits has of these columns is a float32 and no other.
_FLOAT32 = ("score", "map_max", "image_score", "peak", "image_part", "zero_shot")
_REGION_COLUMNS = ("area_fraction", "regions", "x0", "y0", "x1", "y1")
_SHARED = {field.name for field in fields(Row)} & {field.name for field in fields(Result)}


def recut_result(
    row: Row,
    threshold: Threshold,
    percentile: float | None,
    map_: CompactMap,
    *,
    drawn: bool = True,
    roi: RegionOfInterest | None = None,
) -> Result:
    """The result that a run with this threshold gives.

    Regions are exact at a multiple of 0.005 and at the threshold of the run that kept the map;
    otherwise they are those at the nearest of these. The peak of the region that has the peak of
    the image is exact, those of other regions are within 0.005.

    Args:
        row: of an image that was scored.
        threshold: gives the verdict.
        percentile: share of the good parts with a lower score, in percent, if any are known.
        map_: what the run kept of the anomaly map.
        drawn: whether the result needs its map, for a picture.
        roi: what was inspected of the image; None for all of it.
    """
    row = recut_row(row, threshold, percentile)
    above = map_.reaches(threshold.value)
    # A scored image has a peak.
    values = map_.values(row.peak or 0.0) if drawn or above.any() else None
    same = {name: getattr(row, name) for name in _SHARED if name not in _REGION_COLUMNS}
    return Result(
        **same,
        unsure_threshold=threshold.unsure,
        area_fraction=np.count_nonzero(above) / above.size,
        regions=()
        if values is None
        else regions_of(above, values, row.width or 1, row.height or 1),
        probability=values,
        tile=_tile(row),
        roi=roi,
        moved=_moved(row),
    )


def recut_row(row: Row, threshold: Threshold, percentile: float | None) -> Row:
    """The row that a run with this threshold gives, without its regions.

    Args:
        row: of an image that was scored.
        threshold: gives the verdict.
        percentile: share of the good parts with a lower score, in percent, if any are known.
    """
    exact: dict[str, Any] = {
        name: float(np.float32(value))
        for name in _FLOAT32
        if (value := getattr(row, name)) is not None
    }
    unknown: dict[str, Any] = dict.fromkeys(_REGION_COLUMNS)
    return replace(
        row,
        **exact,
        **unknown,
        map_part=exact["score"] - exact["image_part"],
        verdict=threshold.verdict(exact["score"]),
        threshold=threshold.value,
        percentile=percentile,
    )


def _moved(row: Row) -> Similarity | None:
    """Where the reference view lies in the image, if it was aligned."""
    if row.shift_x is None or row.shift_y is None or row.rotation is None or row.scale is None:
        return None
    return Similarity(row.shift_x, row.shift_y, row.rotation, row.scale)


def _tile(row: Row) -> Box | None:
    """The tile with the highest score, if the image was tiled."""
    sides = (row.tile_x0, row.tile_y0, row.tile_x1, row.tile_y1)
    known = [side for side in sides if side is not None]
    return Box(*known) if len(known) == len(sides) else None
