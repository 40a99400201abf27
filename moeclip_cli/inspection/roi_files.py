"""Regions of interest as users give them: boxes, masks and polygons of LabelMe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from moeclip_cli.bounded_text import read_small_text, shortened
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import decode_mask
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.roi_shapes import BoxShape, Mask, Polygon, Shape
from moeclip_cli.tiles.framing import Where

# Antialiased masks have grey edges.
_WHITE = 128


def read_roi(
    region: Where | Iterable[Where] = (), ignore: Where | Iterable[Where] = ()
) -> RegionOfInterest | None:
    """The region of interest that a user describes; None for whole images.

    Args:
        region: what to inspect.
        ignore: what to leave out of it.

    Raises:
        UsageError: if a box, mask or polygon is empty, or a file cannot be read.
    """
    inside, outside = (
        tuple(shape for one in _listed(where) for shape in _shapes(one))
        for where in (region, ignore)
    )
    return RegionOfInterest(inside, outside) if inside or outside else None


def _listed(where: Where | Iterable[Where]) -> list[Where]:
    return [where] if isinstance(where, (str, os.PathLike)) else list(where)


def _shapes(where: Where) -> Iterator[Shape]:
    box = BoxShape.parse(where) if isinstance(where, str) else None
    if box is not None:
        yield box
        return
    path = Path(where)
    if not path.is_file():
        raise UsageError(
            f"{shortened(path, 200)} is neither a file with a region nor a box such as "
            "10%,10%,90%,90% or 40,20,600,460."
        )
    if path.suffix.lower() == ".json":
        yield from _polygons(path)
    else:
        yield _mask(path)


def _mask(path: Path) -> Mask:
    try:
        white = decode_mask(path) >= _WHITE
    except ImageError as error:
        raise UsageError(f"The mask {path} cannot be read: {error}") from error
    if not white.any():
        raise UsageError(f"The mask {path} has no white pixel; paint white what counts.")
    return Mask(white)


def _polygons(path: Path) -> Iterator[Polygon]:
    """The polygons and rectangles of a file of LabelMe."""
    try:
        content = json.loads(read_small_text(path, "region"))
        size = (int(content["imageWidth"]), int(content["imageHeight"]))
        shapes = list(content["shapes"])
        kinds = [str(shape.get("shape_type", "polygon")) for shape in shapes]
        points = [[(float(x), float(y)) for x, y in shape["points"]] for shape in shapes]
        if min(size) < 1:
            raise ValueError("an image without pixels")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a file of LabelMe, with `shapes`, `imageWidth` and `imageHeight`."
        ) from error
    if not shapes:
        raise UsageError(f"{path} contains no shape; draw a polygon or a rectangle in LabelMe.")
    for kind, corners in zip(kinds, points, strict=True):
        yield Polygon(tuple(_corners(path, kind, corners)), size)


def _corners(path: Path, kind: str, points: list[Any]) -> list[tuple[float, float]]:
    if kind == "rectangle" and len(points) == 2:
        (x0, y0), (x1, y1) = points
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    if kind == "polygon" and len(points) >= 3:
        return points
    raise UsageError(
        f"{path} contains a shape of the kind {shortened(kind)} with {len(points)} points; only "
        "polygons and rectangles can be regions."
    )
