"""The overlays and raw maps of a scoring run, by the names of the images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.choices import PictureFormat
from moeclip_cli.errors import UsageError
from moeclip_cli.files import write_errors
from moeclip_cli.images.encode import picture_suffix
from moeclip_cli.runs.input_log import InputRecord
from moeclip_cli.runs.names import output_path

HEATMAPS, MAPS = "heatmaps", "maps"


@dataclass(frozen=True)
class ImageFiles:
    """The files that a run writes for each scored image.

    Attributes:
        folder: the output folder.
        heatmaps: format of the overlays, or None for no overlays.
        save_maps: whether raw maps are written.
    """

    folder: Path
    heatmaps: PictureFormat | None
    save_maps: bool

    def overlay(self, name: str) -> Path:
        """The path of the overlay of the image with this name."""
        return output_path(self.folder / HEATMAPS, name, picture_suffix(self.heatmaps or "png"))

    def raw_map(self, name: str) -> Path:
        """The path of the raw map of the image with this name."""
        return output_path(self.folder / MAPS, name, ".npy")

    def paths(self, name: str) -> Iterator[Path]:
        """The paths of all files of the image with this name."""
        if self.heatmaps is not None:
            yield self.overlay(name)
        if self.save_maps:
            yield self.raw_map(name)

    def exist(self, name: str) -> bool:
        """Return True if all files of the image with this name exist."""
        return all(path.exists() for path in self.paths(name))

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
            if record.scored:
                yield from (path for path in self.paths(record.name) if not path.exists())

    def require_complete(self, records: Iterable[InputRecord]) -> None:
        """Check at the end of a run that all files exist.

        Raises:
            UsageError: with their number, if some are missing.
        """
        missing = list(self.missing(records)) if self.heatmaps or self.save_maps else []
        if missing:
            raise UsageError(
                f"{len(missing)} pictures or maps, such as {missing[0]}, were removed during the "
                "run; use `resume` to write them again."
            )
