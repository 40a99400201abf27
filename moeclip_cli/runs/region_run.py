"""The region files of a scoring run: one for each image, and tables of all at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.errors import UsageError
from moeclip_cli.files import replacing
from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.region_files import coco_json, labelme, regions_csv
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import read_records

TABLE, COCO = "regions.csv", "coco.json"


@dataclass(frozen=True)
class RegionOutput:
    """What to write about regions.

    Attributes:
        min_area: area in pixels below which regions are left out.
        millimetres: size of a pixel, if it is known.
    """

    min_area: float = 0.0
    millimetres: float | None = None


def save_regions(files: ImageFiles, ref: ImageRef, result: Result, output: RegionOutput) -> None:
    """Write the regions of one image for LabelMe.

    Raises:
        UsageError: if the file cannot be written.
    """
    path = files.regions_of(ref.name)
    text = labelme(result, result.measure(output.min_area), _seen_from(path.parent, ref.path))
    with replacing(path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


def write_region_tables(files: ImageFiles, log: Path, output: RegionOutput) -> None:
    """Write `regions.csv` and `coco.json` from the files of all images.

    Args:
        files: the files of the run.
        log: the log of inputs, whose order is that of the rows.
        output: what to write.

    Raises:
        UsageError: if a file of an image is missing, or the tables cannot be written.
    """

    def contents() -> Iterator[dict[str, Any]]:
        for record in read_records(log):
            if record.scored:
                yield _read(files.regions_of(record.name))

    tables = {
        TABLE: regions_csv(contents(), output.millimetres),
        COCO: coco_json(contents),
    }
    for name, pieces in tables.items():
        with replacing(files.folder / name) as stream:
            stream.writelines(pieces)


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
