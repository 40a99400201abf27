"""Options of `moeclip score` for what was found, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.lengths import Measure, area
from moeclip_cli.cli.options import OUTPUT
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.runs.region_run import RegionOutput


@dataclass(frozen=True)
class RegionOptions:
    """Files about the regions of each image.

    Attributes:
        regions: write what was found as regions.csv, coco.json and regions/NAME.json for LabelMe.
        regions_threshold: value of the anomaly map from which a pixel is part of a region in these
            files. Default: the threshold of the verdicts.
        min_area: smallest area of a region in these files, such as 30px or 0.1mm2.
        crops: also write each region to crops/NAME.N.png, cut from the image with a margin.
        masks: also write the regions of each image to masks/NAME.png, white on black.
        fiftyone: also write fiftyone/, a dataset that FiftyOne imports.
    """

    PANEL: ClassVar[str] = OUTPUT

    regions: bool = False
    regions_threshold: Annotated[
        float | None, typer.Option(parser=fraction, metavar="FLOAT", show_default=False)
    ] = None
    min_area: Annotated[
        Measure | None, typer.Option(parser=area, metavar="AREA", show_default=False)
    ] = None
    crops: bool = False
    masks: bool = False
    fiftyone: bool = False

    def read(self, millimetres: float | None) -> RegionOutput | None:
        """What to write about regions; None for nothing.

        Args:
            millimetres: size of a pixel, if it is known.

        Raises:
            UsageError: if an option is given without regions or out of range, or an area is in
                millimetres of unknown size.
        """
        for name in ("regions_threshold", "min_area", "crops", "masks", "fiftyone"):
            if getattr(self, name) not in (None, False) and not self.regions:
                raise UsageError(f"`{name}` is for the files of `regions`; add that, or omit it.")
        if not self.regions:
            return None
        if self.regions_threshold is not None and not 0 < self.regions_threshold <= 1:
            raise UsageError(
                "`regions_threshold` must be above 0 and at most 1, not "
                f"{self.regions_threshold:g}."
            )
        from moeclip_cli.runs.region_run import RegionOutput

        return RegionOutput(
            0.0 if self.min_area is None else self.min_area.pixels(millimetres),
            millimetres,
            self.regions_threshold,
            crops=self.crops,
            masks=self.masks,
            fiftyone=self.fiftyone,
        )
