"""The overlays, maps and regions of a scoring run, by the names of the images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import PictureChoice, PictureFormat
from moeclip_cli.errors import UsageError
from moeclip_cli.files import write_errors
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.verdicts import ANOMALOUS, NORMAL
from moeclip_cli.runs.input_log import InputRecord
from moeclip_cli.runs.names import output_path
from moeclip_cli.runs.picture_files import possible_paths, write_picture

HEATMAPS, MAPS, COMPACT_MAPS, REGIONS = "heatmaps", "maps", "compact-maps", "regions"
CROPS, MASKS = "crops", "masks"
FOLDERS = (HEATMAPS, MAPS, COMPACT_MAPS, REGIONS, CROPS, MASKS)
"""Folders with the files of single images."""

# As long as that of any region with a number below 1,000,000.
_CROP = ".region.png"


@dataclass(frozen=True)
class ImageFiles:
    """The files that a run writes for each scored image.

    Attributes:
        folder: the output folder.
        heatmaps: format of the overlays, or None for no overlays.
        save_maps: whether raw maps are written.
        anomalous_only: whether only anomalous and unsure images get an overlay.
        keep_maps: whether compact maps are written.
        regions: whether the regions of each image are written.
        crops: whether each region is written as a picture.
        masks: whether the regions of each image are written as a picture.
    """

    folder: Path
    heatmaps: PictureChoice | None
    save_maps: bool
    anomalous_only: bool = False
    keep_maps: bool = False
    regions: bool = False
    crops: bool = False
    masks: bool = False

    @classmethod
    def of(cls, folder: Path, settings: Mapping[str, Any]) -> ImageFiles:
        """The files of a run with the settings on its card."""
        return cls(
            folder,
            settings["heatmaps"],
            settings["save_maps"],
            settings.get("heatmaps_of") == ANOMALOUS,
            settings.get("keep_maps", False),
            "regions" in settings,
            settings.get("regions", {}).get("crops", False),
            settings.get("regions", {}).get("masks", False),
        )

    def overlays(self, name: str) -> dict[PictureFormat, Path]:
        """The path of the overlay of the image with this name, by the format it may have."""
        if self.heatmaps is None:
            return {}
        return possible_paths(self.folder / HEATMAPS, name, self.heatmaps)

    def overlay(self, name: str) -> Path | None:
        """The overlay of the image with this name, if there is one."""
        return next((path for path in self.overlays(name).values() if path.exists()), None)

    def save_overlay(self, name: str, picture: NDArray[np.uint8]) -> None:
        """Write an overlay.

        Raises:
            ImageError, UsageError: see `write_picture`.
        """
        write_picture(self.folder / HEATMAPS, name, self.heatmaps or "auto", picture)

    def wants_overlay(self, result: Result) -> bool:
        """True if overlays are written, and this image gets one."""
        if self.heatmaps is None or result.error is not None:
            return False
        return result.verdict != NORMAL or not self.anomalous_only

    def raw_map(self, name: str) -> Path:
        """The path of the raw map of the image with this name."""
        return output_path(self.folder / MAPS, name, ".npy")

    def compact_map(self, name: str) -> Path:
        """The path of the compact map of the image with this name."""
        return output_path(self.folder / COMPACT_MAPS, name, ".png")

    def regions_of(self, name: str) -> Path:
        """The path of the regions of the image with this name."""
        return output_path(self.folder / REGIONS, name, ".json")

    def crop(self, name: str, number: int) -> Path:
        """The path of the picture of a region of the image with this name.

        Args:
            name: of the image.
            number: of the region, from 1.
        """
        first = output_path(self.folder / CROPS, name, _CROP)
        return first.with_name(f"{first.name.removesuffix(_CROP)}.{number}.png")

    def crops_on_disk(self, name: str) -> list[Path]:
        """The pictures of regions of the image with this name that exist."""
        folder, stem = self.crop(name, 1).parent, self.crop(name, 1).name.removesuffix(".1.png")
        own = re.compile(rf"{re.escape(stem)}\.\d+\.png")
        if not folder.is_dir():
            return []
        return [path for path in folder.iterdir() if own.fullmatch(path.name)]

    def mask(self, name: str) -> Path:
        """The path of the mask of the regions of the image with this name."""
        return output_path(self.folder / MASKS, name, ".png")

    def _of_regions(self, name: str) -> Iterator[Path]:
        """The pictures of the regions that the image with this name has."""
        try:
            found = len(json.loads(self.regions_of(name).read_text(encoding="utf-8"))["shapes"])
        except (OSError, ValueError, TypeError, LookupError):  # the file itself is missing
            return
        if self.crops:
            yield from (self.crop(name, number) for number in range(1, found + 1))
        if self.masks and found:
            yield self.mask(name)

    def data(self, name: str) -> Iterator[Path]:
        """The paths of all maps, and of the regions, of the image with this name."""
        if self.crops or self.masks:
            yield from self._of_regions(name)
        if self.save_maps:
            yield self.raw_map(name)
        if self.keep_maps:
            yield self.compact_map(name)
        if self.regions:
            yield self.regions_of(name)

    def paths(self, name: str) -> Iterator[Path]:
        """The paths of all files that the image with this name may have."""
        yield from self.overlays(name).values()
        yield from self.data(name)

    def exist(self, record: InputRecord) -> bool:
        """Return True if all files that a scored image should have exist."""
        return next(self.missing([record]), None) is None

    def remove(self, name: str) -> None:
        """Remove the files of the image with this name.

        Raises:
            UsageError: if one cannot be removed.
        """
        for path in self.paths(name):
            with write_errors(path):
                path.unlink(missing_ok=True)

    def missing(self, records: Iterable[InputRecord]) -> Iterator[Path]:
        """Yield the files that scored images should have but do not."""
        for record in records:
            if not record.scored:
                continue
            if self.heatmaps is not None and record.overlay and self.overlay(record.name) is None:
                yield next(iter(self.overlays(record.name).values()))
            yield from (path for path in self.data(record.name) if not path.exists())

    def require_complete(self, records: Iterable[InputRecord]) -> None:
        """Check at the end of a run that all files exist.

        Raises:
            UsageError: with their number, if some are missing.
        """
        written = self.heatmaps or self.save_maps or self.keep_maps or self.regions
        missing = list(self.missing(records)) if written else []
        if missing:
            raise UsageError(
                f"{len(missing)} pictures or maps, such as {missing[0]}, were removed during the "
                "run; use `resume` to write them again."
            )
