"""The region files of a scoring run: some for each image, and tables of all at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.errors import UsageError
from moeclip_cli.files import replacing, write_errors
from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.measurement import MeasuredRegion
from moeclip_cli.inspection.result import Result
from moeclip_cli.pictures.regions import cut_out, mask_png
from moeclip_cli.reports.region_files import coco_json, json_object, labelme, regions_csv
from moeclip_cli.reports.tables.cells import readable
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import InputRecord, read_records
from moeclip_cli.tiles.grid import Box

TABLE, COCO, FIFTYONE = "regions.csv", "coco.json", "fiftyone"
FIFTYONE_FILES = f"{FIFTYONE}/data.json", f"{FIFTYONE}/labels.json"

Read = Callable[[ImagePlace], NDArray[np.uint8]]
"""Reads the pixels of an image file, (H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class RegionOutput:
    """What to write about regions.

    Attributes:
        min_area: area in pixels below which regions are left out.
        millimetres: size of a pixel, if it is known.
        threshold: of the map, for regions; None for that of the verdicts.
        crops: whether each region is written as a picture.
        masks: whether the regions of each image are written as a picture.
        fiftyone: whether a dataset for FiftyOne is written.
    """

    min_area: float = 0.0
    millimetres: float | None = None
    threshold: float | None = None
    crops: bool = False
    masks: bool = False
    fiftyone: bool = False

    @property
    def settings(self) -> Mapping[str, Any]:
        """In JSON types; later ones are left out at their defaults, as in earlier runs."""
        first = ("min_area", "millimetres")
        return {
            each.name: value
            for each in fields(self)
            if (value := getattr(self, each.name)) != each.default or each.name in first
        }


def save_regions(
    files: ImageFiles, ref: ImageRef, result: Result, output: RegionOutput, read: Read
) -> None:
    """Write the regions of one image: crops and mask, and last the file for LabelMe.

    Raises:
        ImageError: if there are crops, and the image can no longer be read.
        UsageError: if a file cannot be written.
    """
    regions = result.measure(output.min_area, output.threshold)
    if output.crops:
        _save_crops(files, ref, regions, read)
    if output.masks:
        path = files.mask(ref.name)
        with write_errors(path):
            path.unlink(missing_ok=True)  # of a run that was killed, and an image that changed
        outlines = [region.outline for region in regions]
        if outlines:
            with replacing(path) as stream:
                stream.write(mask_png(outlines, result.width or 1, result.height or 1))
    path = files.regions_of(ref.name)
    text = labelme(result, regions, _seen_from(path.parent, ref.path))
    with replacing(path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


def _save_crops(
    files: ImageFiles, ref: ImageRef, regions: Sequence[MeasuredRegion], read: Read
) -> None:
    for path in files.crops_on_disk(ref.name):
        with write_errors(path):
            path.unlink(missing_ok=True)
    if not regions:
        return
    pixels = read(ref.path)
    for number, region in enumerate(regions, start=1):
        box = Box(region.x0, region.y0, region.x1, region.y1)
        save_picture(files.crop(ref.name, number), cut_out(pixels, box), "png")


def write_region_tables(files: ImageFiles, log: Path, output: RegionOutput) -> None:
    """Write `regions.csv`, `coco.json` and the dataset for FiftyOne from the files of all images.

    Args:
        files: the files of the run.
        log: the log of inputs, whose order is that of the rows.
        output: what to write.

    Raises:
        UsageError: if a file of an image is missing, or the tables cannot be written.
    """

    def contents() -> Iterator[tuple[InputRecord, dict[str, Any]]]:
        for record in read_records(log):
            if record.scored:
                yield record, _read(files.regions_of(record.name))

    def crop(name: str, number: int) -> str:
        return files.crop(name, number).relative_to(files.folder).as_posix()

    crops = ((each, record.name) for record, each in contents())
    tables = {
        TABLE: regions_csv(crops, output.millimetres, crop if output.crops else None),
        COCO: coco_json(lambda: (content for _, content in contents())),
    }
    if output.fiftyone:
        data, labels = FIFTYONE_FILES
        folder = files.folder / FIFTYONE
        tables[data] = json_object(
            (_key(record), readable(_seen_from(folder, Path(record.path))))
            for record, _ in contents()
        )
        tables[labels] = coco_json(
            lambda: (content for _, content in contents()),
            lambda: (_key(record) for record, _ in contents()),
        )
    for name, pieces in tables.items():
        with replacing(files.folder / name) as stream:
            stream.writelines(pieces)


def _key(record: InputRecord) -> str:
    """The name of an image in the dataset for FiftyOne, which looks it up in this form."""
    return readable(os.path.normpath(record.name))


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} was removed or changed during the run; use `resume` to write it again."
        ) from error
    return content


def _seen_from(folder: Path, image: ImagePlace) -> str:
    """The path of an image, relative to a folder if both are on one drive; or its URL."""
    if not isinstance(image, Path):
        return str(image)
    try:
        return Path(os.path.relpath(image.absolute(), folder.absolute())).as_posix()
    except ValueError:  # another drive of Windows
        return str(image.absolute())
