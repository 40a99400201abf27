"""Which parts of an image the network sees, each as an image of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.inspection.reference_view import ReferenceView
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.roi_files import read_roi
from moeclip_cli.inspection.roi_rules import RegionRules, regions_from_json
from moeclip_cli.tiles.framing import Framing
from moeclip_cli.tiles.grid import Box, Tiling, side_for


@dataclass(frozen=True)
class Layout:
    """The windows of each image: tiles of the region of interest, or the box around it.

    Attributes:
        tiling: size and overlap of the tiles; None for one window.
        roi: what is inspected; None for the whole image.
        rules: what is inspected of which image, in place of `roi`; see `for_image`.
        view: what images are aligned with, in whose frame windows and region lie; None for none.
    """

    tiling: Tiling | None = None
    roi: RegionOfInterest | None = None
    view: ReferenceView | None = None
    rules: RegionRules | None = None

    @classmethod
    def of(cls, framing: Framing, patches: int) -> Layout | None:
        """The layout that a user asked for; None for whole images.

        Args:
            framing: what the user said.
            patches: along a side of the network input, which decide the tile "auto".

        Raises:
            UsageError: if a value is out of range, values contradict each other, or a region or
                the reference view cannot be read.
        """
        tiling, roi = _tiling(framing, patches), read_roi(framing.region, framing.ignore)
        view = None if framing.align is None else ReferenceView.read(framing.align)
        return cls._unless_empty(tiling, roi, view)

    @classmethod
    def _unless_empty(
        cls,
        tiling: Tiling | None,
        regions: RegionOfInterest | RegionRules | None,
        view: ReferenceView | None,
    ) -> Layout | None:
        if tiling is regions is view is None:
            return None
        if isinstance(regions, RegionRules):
            return cls(tiling, None, view, regions)
        return cls(tiling, regions, view)

    def for_image(self, path: str) -> Layout:
        """The layout with the region of the image at a path.

        Raises:
            ImageError: if there are rules, but none is for this image.
        """
        if self.rules is None:
            return self
        return replace(self, roi=self.rules.for_image(path), rules=None)

    @property
    def has_region(self) -> bool:
        """Whether less than the whole image is inspected."""
        return self.roi is not None or self.rules is not None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Layout | None:
        """The layout that `settings` of an inspector or a profile describe.

        Raises:
            UsageError: if they are damaged.
        """
        side, overlap, region = (settings.get(name) for name in ("tile", "overlap", "region"))
        tiling = None
        if side is not None:
            if type(side) is not int or type(overlap) is not float:
                raise UsageError("The profile is damaged: its tiles have no size; calibrate again.")
            tiling = Tiling(side, overlap)
        try:
            roi = None if region is None else regions_from_json(region)
            view = ReferenceView.from_settings(settings)
        except (ValueError, TypeError, LookupError, AttributeError, UsageError) as error:
            raise UsageError(
                "The profile is damaged: its region or reference view cannot be read; calibrate "
                "again."
            ) from error
        return cls._unless_empty(tiling, roi, view)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that decide scores, in JSON types."""
        settings: dict[str, Any] = {}
        if self.tiling is not None:
            settings |= {"tile": self.tiling.side, "overlap": self.tiling.overlap}
        if self.roi is not None:
            settings["region"] = self.roi.to_json()
        if self.rules is not None:
            settings["region"] = self.rules.to_json()
        if self.view is not None:
            settings |= self.view.settings
        return settings

    def area(self, width: int, height: int) -> Box:
        """What the windows cover together, on an image of this size in pixels.

        Raises:
            ImageError: if the region of interest does not fit the image.
        """
        whole = Box(0, 0, width, height)
        return whole if self.roi is None else self.roi.bounds(width, height)

    def boxes(self, width: int, height: int) -> list[Box]:
        """The windows of an image of this size in pixels, without those wholly outside.

        Raises:
            ImageError: if the region of interest does not fit the image, or contains no pixel.
        """
        area = self.area(width, height)
        boxes = [area] if self.tiling is None else self.tiling.boxes(area)
        roi = self.roi
        if roi is None:
            return boxes
        kept = [box for box in boxes if roi.covers(width, height, box).any()]
        if not kept:
            raise ImageError("No pixel of the image is inspected; check `region` and `ignore`.")
        return kept

    def inside(
        self, width: int, height: int, window: Box, shape: tuple[int, int] | None = None
    ) -> NDArray[np.bool_] | None:
        """Which pixels of a window, or cells of a grid over it, are inspected; None for all.

        Args:
            width: of the image in pixels.
            height: of the image in pixels.
            window: the window.
            shape: rows and columns of the grid; one cell for each pixel by default.
        """
        if self.roi is None:
            return None
        inside = self.roi.covers(width, height, window, shape)
        return None if inside.all() else inside

    @property
    def overlap(self) -> float:
        """Share of a window that its neighbour covers, too."""
        return 0.0 if self.tiling is None else self.tiling.overlap


def _tiling(framing: Framing, patches: int) -> Tiling | None:
    if framing.tile != "auto" and framing.smallest is not None:
        raise UsageError('`smallest` chooses the tiles; set `tile` to "auto", or omit it.')
    if framing.tile is None:
        return None
    if framing.tile == "auto":
        if framing.smallest is None:
            raise UsageError(
                "`tile` auto needs the size of the smallest defect as `smallest`, such as 12 "
                "pixels; or give the side of a tile in pixels as `tile`."
            )
        return Tiling(side_for(framing.smallest, patches), float(framing.overlap))
    if not isinstance(framing.tile, Integral):
        raise UsageError(
            f"`tile` must be a number of pixels, such as 448, or auto, not {framing.tile!r}."
        )
    return Tiling(framing.tile, float(framing.overlap))
