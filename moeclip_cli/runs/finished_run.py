"""A finished run of `moeclip score`, read from its output folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.errors import UsageError
from moeclip_cli.files import is_present
from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.roi_rules import RegionRules, regions_from_json
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.reports.tables.cells import readable
from moeclip_cli.reports.tables.results_table import read_table, table_path
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import INPUTS, InputRecord, read_records
from moeclip_cli.runs.kinds import SCORE
from moeclip_cli.runs.run_card import CARD, read_card

# Settings of the run that say nothing about the scores.
_OF_THE_RUN = {
    "threshold", "threshold_source", "unsure_threshold", "unsure_source", "max_pixels", "prompt",
    "prompt_rules", "table_format", "heatmaps", "heatmaps_of", "save_maps", "keep_maps", "regions",
    "watched_folder",
}  # fmt: skip


@dataclass(frozen=True)
class FinishedRun:
    """The output folder of a finished run.

    Attributes:
        folder: the folder.
        card: content of its run card.
    """

    folder: Path
    card: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, *, unfinished: bool = False) -> FinishedRun:
        """Read the run card of a folder.

        Args:
            folder: the output folder.
            unfinished: take a run that goes on, or was interrupted, too. Its table may be missing.

        Raises:
            UsageError: if the folder is not the output of a finished `moeclip score`.
        """
        if not folder.exists():
            raise UsageError(f"{folder} was not found; name the output folder of 'moeclip score'.")
        card = read_card(folder)
        if card is None:
            raise UsageError(
                f"{folder / CARD} is missing or damaged; name the output folder of 'moeclip score'."
            )
        if SCORE.setting not in card.get("settings", {}):
            raise UsageError(f"{folder} contains results of another command than 'moeclip score'.")
        found = cls(folder, card)
        if card.get("state") != "finished":
            if unfinished:
                return found
            raise UsageError(
                f"The run in {folder} is unfinished; repeat its command with --resume first."
            )
        if not is_present(found.table):
            raise UsageError(f"{found.table} is missing; 'moeclip verify' tells what else is.")
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the rows."""
        settings: dict[str, Any] = self.card["settings"]
        return settings

    @property
    def scoring_settings(self) -> dict[str, Any]:
        """What the scores depend on besides the images, as profiles record it."""
        return {name: value for name, value in self.settings.items() if name not in _OF_THE_RUN}

    @property
    def environment(self) -> dict[str, Any]:
        """Device, versions and command line."""
        environment: dict[str, Any] = self.card.get("environment", {})
        return environment

    @property
    def threshold(self) -> AppliedThreshold | None:
        """The threshold with its band; None for the outlier limit of the run's own images."""
        value: float | None = self.settings["threshold"]
        if value is None:
            return None
        return AppliedThreshold(
            value,
            self.settings["threshold_source"],
            unsure=self.settings.get("unsure_threshold"),
            unsure_source=self.settings.get("unsure_source", ""),
        )

    @cached_property
    def _regions(self) -> RegionOfInterest | RegionRules | None:
        content = self.settings.get("region")
        try:
            return None if content is None else regions_from_json(content)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise UsageError(
                f"{self.folder / CARD} is damaged: its region cannot be read; score the images "
                "again."
            ) from error

    def roi(self, record: InputRecord) -> RegionOfInterest | None:
        """What was inspected of an image; None for all of it.

        Raises:
            UsageError: if the run card is damaged.
        """
        return None if self._regions is None else self._regions.for_image(record.path)

    @property
    def table(self) -> Path:
        """The results table."""
        return table_path(self.folder, self.settings["table_format"])

    @property
    def files(self) -> ImageFiles:
        """The overlays and maps."""
        return ImageFiles.of(self.folder, self.settings)

    def rows(self) -> Iterator[Row]:
        """The rows of the table, in the order of the images.

        Raises:
            UsageError: if the table is damaged or of another version.
            MissingExtraError: if it is Parquet and pyarrow is not installed.
        """
        try:
            yield from read_table(self.folder, self.settings["table_format"])
        except UsageError as error:
            raise UsageError(
                f"{self.table} is damaged or of another version of moeclip; score the images again."
            ) from error

    def records(self) -> Iterator[tuple[Row, InputRecord]]:
        """Each row with the record of its image.

        Raises:
            UsageError: as for `rows`, or if the log of inputs does not fit the table.
        """
        log = self.folder / INPUTS
        records = read_records(log) if is_present(log) else iter(())
        for row in self.rows():
            record = next(records, None)
            if record is None or readable(record.path) != readable(row.path):
                raise UsageError(
                    f"{log} does not fit {self.table}; 'moeclip verify' tells more. Score the "
                    "images again."
                )
            yield row, record

    def image(self, record: InputRecord) -> ImagePlace:
        """The place of an image, from any folder."""
        return record.place(Path(self.environment.get("directory", "")))
