"""Regions of interest as users give them: boxes, masks, polygons, and rules in TOML."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from moeclip_cli.bounded_text import MEGABYTE, parse_toml, read_small_text, shortened
from moeclip_cli.discovery.path_pattern import PathPattern
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import decode_mask
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.roi_rules import RegionRules
from moeclip_cli.inspection.roi_shapes import BoxShape, Mask, Polygon, Shape, shape_from_json
from moeclip_cli.tiles.framing import Where

# Antialiased masks have grey edges.
_WHITE = 128
_TABLES = ("region", "ignore")


def read_roi(
    region: Where | Iterable[Where] = (), ignore: Where | Iterable[Where] = ()
) -> RegionOfInterest | RegionRules | None:
    """The region of interest that a user describes; None for whole images.

    Args:
        region: what to inspect, or one TOML file with rules.
        ignore: what to leave out of it.

    Raises:
        UsageError: if a box, mask or polygon is empty, or a file cannot be read.
    """
    inside, outside = _listed(region), _listed(ignore)
    rules = [where for where in (*inside, *outside) if _is_toml(where)]
    if rules:
        if len(inside) > 1 or outside:
            raise UsageError(
                f"{shortened(rules[0], 200)} says what to inspect and to ignore; give it alone, as "
                "`region`."
            )
        return _rules(Path(rules[0]))
    shapes = [
        tuple(shape for one in where for shape in _shapes(one)) for where in (inside, outside)
    ]
    return RegionOfInterest(*shapes) if any(shapes) else None


def _listed(where: Where | Iterable[Where]) -> list[Where]:
    return [where] if isinstance(where, (str, os.PathLike)) else list(where)


def _is_toml(where: Where) -> bool:
    return Path(where).suffix.lower() == ".toml"


def _rules(path: Path) -> RegionRules:
    try:
        content = parse_toml(read_small_text(path, "region file", limit=MEGABYTE))
    except ValueError as error:  # invalid TOML, and text that is not UTF-8
        raise UsageError(f"{path} is not valid TOML: {shortened(error, 200)}.") from error
    unknown = [name for name in content if name not in _TABLES]
    if unknown or not content or not all(isinstance(table, dict) for table in content.values()):
        raise UsageError(
            f"{path} must have tables [region] and [ignore], with lines such as "
            '"top/" = "top.json".'
        )
    tables = {
        name: tuple(_rule(path, text, value) for text, value in content.get(name, {}).items())
        for name in _TABLES
    }
    return RegionRules(path.name, **tables)


def _rule(path: Path, text: str, value: Any) -> tuple[str, tuple[Shape, ...]]:
    """A line of a file of rules: a pattern, and shapes whose files are beside the file."""
    PathPattern.parse(text, path)
    found: list[Shape] = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            try:
                found.append(shape_from_json(one))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise UsageError(
                    f"{path}: a table in the value of {shortened(text)} needs `polygon`, with at "
                    "least 3 points, and `size`, the width and height of the image."
                ) from error
        elif isinstance(one, str) and one.strip():
            box = BoxShape.parse(one)
            found += [box] if box is not None else _shapes(path.parent / one)
        else:
            found = []
            break
    if not found:
        raise UsageError(
            f"{path}: the value of {shortened(text)} must be a box, a file, or a list of them."
        )
    return text, tuple(found)


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
    """The polygons and rectangles of a file of LabelMe, or of COCO with one image."""
    try:
        content = json.loads(read_small_text(path, "region"))
        size, drawn = (_of_coco if "annotations" in content else _of_labelme)(content)
        if min(size) < 1:
            raise ValueError("an image without pixels")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{path} is neither a file of LabelMe, with `shapes`, `imageWidth` and `imageHeight`, "
            "nor one of COCO, with `annotations` that have polygons or boxes on one of `images`."
        ) from error
    if not drawn:
        raise UsageError(f"{path} contains no shape; draw a polygon or a rectangle in LabelMe.")
    for kind, points in drawn:
        yield Polygon(tuple(_corners(path, kind, points)), size)


def _of_labelme(content: Any) -> tuple[tuple[int, int], list[tuple[str, Any]]]:
    """Size of the image, and kind and points of each shape."""
    size = (int(content["imageWidth"]), int(content["imageHeight"]))
    return size, [
        (
            str(shape.get("shape_type", "polygon")),
            [(float(x), float(y)) for x, y in shape["points"]],
        )
        for shape in content["shapes"]
    ]


def _of_coco(content: Any) -> tuple[tuple[int, int], list[tuple[str, Any]]]:
    """The same; annotations of several images are for rules by name."""
    annotations = content["annotations"]
    images = {image["id"]: image for image in content["images"]}
    used = {annotation["image_id"] for annotation in annotations} or set(images)
    (number,) = used
    size = (int(images[number]["width"]), int(images[number]["height"]))
    drawn: list[tuple[str, Any]] = []
    for annotation in annotations:
        for flat in annotation.get("segmentation") or []:
            numbers = [float(value) for value in flat]
            drawn.append(("polygon", list(zip(numbers[::2], numbers[1::2], strict=True))))
        if not annotation.get("segmentation"):
            x, y, width, height = (float(value) for value in annotation["bbox"])
            drawn.append(("rectangle", [(x, y), (x + width, y + height)]))
    return size, drawn


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
