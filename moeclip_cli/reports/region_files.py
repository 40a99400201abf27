"""Regions as files: LabelMe for one image, a CSV table and COCO for all images of a run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moeclip_cli._version import __version__
from moeclip_cli.inspection.measurement import MeasuredRegion
from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.tables.cells import compact, readable
from moeclip_cli.reports.tables.control_characters import escape_controls
from moeclip_cli.reports.tables.spreadsheet import escape_formula

LABEL = "anomaly"
COLUMNS = (
    "path", "region", "x0", "y0", "x1", "y1", "centre_x", "centre_y", "length", "width", "angle",
    "area", "peak", "mean", "length_mm", "width_mm", "area_mm2", "crop",
)  # fmt: skip
"""The columns of `regions.csv`."""

# The version of LabelMe whose format this is; it writes its own when it saves a file.
_LABELME = "5.5.0"
_OWN = "moeclip"
# Decimals of a pixel.
_DECIMALS = 3


def labelme(result: Result, regions: Iterable[MeasuredRegion], image_path: str) -> str:
    """The regions of one image as a file that LabelMe opens.

    What LabelMe does not know is under the key "moeclip", which it keeps.

    Args:
        result: of the image.
        regions: of the image, largest first.
        image_path: path of the image, seen from the folder of the file.
    """
    shapes = [
        {
            "label": LABEL,
            "points": [list(point) for point in region.outline],
            "group_id": None,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
            _OWN: _measures(region),
        }
        for region in regions
    ]
    content = {
        "version": _LABELME,
        "flags": {},
        "shapes": shapes,
        "imagePath": readable(image_path),
        "imageData": None,
        "imageHeight": result.height,
        "imageWidth": result.width,
        _OWN: {"path": readable(result.path), "score": result.score, "verdict": result.verdict},
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def regions_csv(
    files: Iterable[tuple[dict[str, Any], str]],
    millimetres: float | None,
    crop: Callable[[str, int], str] | None = None,
) -> Iterator[bytes]:
    """The lines of `regions.csv`, one for each region, in the form of `results.csv`.

    Args:
        files: parsed text of `labelme` and name of each image.
        millimetres: size of a pixel, if it is known.
        crop: gives the path of the picture of a region, by name of the image and number.
    """
    yield _line(COLUMNS)
    for content, name in files:
        for number, shape in enumerate(content["shapes"], start=1):
            measures = shape[_OWN]
            sizes: list[Any] = [None, None, None]
            if millimetres is not None:
                length, width, area = (measures[side] for side in ("length", "width", "area"))
                sizes = [length * millimetres, width * millimetres, area * millimetres**2]
            path = escape_controls(escape_formula(content[_OWN]["path"]))
            values = [measures[column] for column in COLUMNS[2:-4]]
            picture = None if crop is None else escape_formula(crop(name, number))
            yield _line([path, number, *map(_cell, [*values, *sizes]), picture])


def coco_json(
    files: Callable[[], Iterable[dict[str, Any]]],
    names: Callable[[], Iterable[str]] | None = None,
) -> Iterator[bytes]:
    """The pieces of a JSON file in the format of COCO's instances.

    Args:
        files: gives the parsed texts of `labelme`, one for each image, as often as it is called.
        names: gives the names of the images in the file; by default their paths.
    """
    head = {
        "info": {"description": "Regions found by moeclip", "version": __version__},
        "categories": [{"id": 1, "name": LABEL, "supercategory": ""}],
    }
    yield f"{json.dumps(head)[:-1]},\n".encode()
    named = (content[_OWN]["path"] for content in files()) if names is None else names()
    yield from _json_list("images", _coco_images(files(), named))
    yield b",\n"
    yield from _json_list("annotations", _coco_annotations(files()))
    yield b"}\n"


def _measures(region: MeasuredRegion) -> dict[str, Any]:
    values = {name: value for name, value in vars(region).items() if name != "outline"}
    exact = ("peak", "mean")
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) and name not in exact else value
        for name, value in values.items()
    }


def _coco_images(files: Iterable[dict[str, Any]], names: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, (content, name) in enumerate(zip(files, names, strict=True), start=1):
        yield {
            "id": number,
            "file_name": name,
            "width": content["imageWidth"],
            "height": content["imageHeight"],
        }


def _coco_annotations(files: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    number = 0
    for image, content in enumerate(files, start=1):
        for shape in content["shapes"]:
            number += 1
            measures = shape[_OWN]
            x0, y0, x1, y1 = (measures[edge] for edge in ("x0", "y0", "x1", "y1"))
            yield {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": [[side for point in shape["points"] for side in point]],
                "area": measures["area"],
                "iscrowd": 0,
                "score": measures["peak"],
            }


def json_object(entries: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    """The pieces of a JSON file with one object that maps texts to texts."""
    yield b"{"
    for number, (key, value) in enumerate(entries):
        line = f"{json.dumps(key)}: {json.dumps(value)}"
        yield (",\n" if number else "\n").encode() + line.encode()
    yield b"\n}\n"


def _json_list(name: str, entries: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """A key with a list, piece by piece, so that no list of a whole run is in memory."""
    yield f'"{name}": ['.encode()
    for number, entry in enumerate(entries):
        yield (",\n" if number else "\n").encode() + json.dumps(entry).encode()
    yield b"]"


def _cell(value: Any) -> Any:
    return compact(value) if isinstance(value, float) else value


def _line(values: Iterable[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(list(values))
    return text.getvalue().encode()
