"""The inspection of one image: the result in memory and its row in a table."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.verdicts import NORMAL
from moeclip_cli.tiles.grid import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moeclip_cli.choices import PictureFormat
    from moeclip_cli.inspection.measurement import MeasuredRegion
    from moeclip_cli.inspection.roi import RegionOfInterest
    from moeclip_cli.inspection.similarity import Similarity

SCHEMA = 1
"""Version of the fields of JSON output; fields are added without a new one."""

# A pixel counts if most of it does.
_HALF = 0.5


@dataclass(frozen=True)
class Row:
    """One row of a results table; the fields, in this order, are its columns.

    An image that cannot be read has only `path`, `prompt`, `model` and `error`.

    Attributes:
        path: path of the image as the user gave it.
        score: anomaly score in [0, 1].
        verdict: "anomalous" if score >= threshold, else "normal" or, in the band of a second
            threshold below it, "unsure".
        threshold: the applied threshold.
        map_max: maximum of the raw summed anomaly map (unbounded).
        image_score: raw image score ((v T)[abnormal] + 1) / 2, in [0, 1].
        peak: maximum of the anomaly map, in [0, 1].
        peak_x, peak_y: where it is, in original pixels.
        map_part: what the map contributes to the score, in [0, 1].
        image_part: what the whole image contributes to the score, in [0, 1]; the two parts add up
            to it.
        zero_shot: score without references, in [0, 1], if the model has one and references are in
            use.
        references: number of references that the image was compared with; it is one less for an
            image that is a reference itself.
        percentile: share of the good parts of the profile, or of the references, whose score is
            lower, in percent; 100 if it is higher than all of them.
        area_fraction: share of the image at or above the threshold, in [0, 1].
        regions: number of connected regions at or above the threshold.
        x0, y0, x1, y1: box of the largest region in original pixels, x1 and y1 exclusive.
        width, height: size of the original image in pixels, after EXIF orientation.
        prompt: name of the object.
        model: name of the model.
        error: one sentence, if the image cannot be scored.
        tiles: number of tiles that were scored, if the image was tiled; the highest of their scores
            is that of the image.
        tile_x0, tile_y0, tile_x1, tile_y1: box of the tile with the highest score in original
            pixels, tile_x1 and tile_y1 exclusive. Of an aligned image, the box around it.
        shift_x, shift_y: how far an aligned image moved from the reference view, to the right and
            down, in original pixels.
        rotation: by how many degrees it is turned clockwise.
        scale: how many times larger it shows the view.
    """

    path: str
    score: float | None = None
    verdict: str | None = None
    threshold: float | None = None
    map_max: float | None = None
    image_score: float | None = None
    peak: float | None = None
    peak_x: int | None = None
    peak_y: int | None = None
    map_part: float | None = None
    image_part: float | None = None
    zero_shot: float | None = None
    references: int | None = None
    percentile: float | None = None
    area_fraction: float | None = None
    regions: int | None = None
    x0: int | None = None
    y0: int | None = None
    x1: int | None = None
    y1: int | None = None
    width: int | None = None
    height: int | None = None
    prompt: str | None = None
    model: str | None = None
    error: str | None = None
    tiles: int | None = None
    tile_x0: int | None = None
    tile_y0: int | None = None
    tile_x1: int | None = None
    tile_y1: int | None = None
    shift_x: float | None = None
    shift_y: float | None = None
    rotation: float | None = None
    scale: float | None = None

    def good_parts_below(self, total: int) -> str:
        """The percentile in numbers, such as "24 of 25"; "" without one.

        Args:
            total: number of good parts that the percentile refers to.
        """
        if self.percentile is None:
            return ""
        return f"{round(self.percentile * total / 100)} of {total}"


COLUMNS = tuple(column.name for column in fields(Row))


@dataclass(frozen=True)
class Region:
    """A connected region of the anomaly map at or above the threshold.

    Attributes:
        x0, y0, x1, y1: bounding box in original pixels; x1 and y1 are exclusive.
        area_fraction: share of the image that the region covers, in [0, 1].
        peak: highest anomaly probability inside it.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    area_fraction: float
    peak: float


@dataclass
class Result:
    """The inspection of one image.

    Two results are equal if everything but their arrays is.

    Attributes:
        path: path of the image as the user gave it; "" for an image given as an array.
        prompt: name of the object.
        model: name of the model.
        error: one sentence, if the image cannot be scored; everything below is then empty.
        score, verdict, threshold, map_max, image_score, peak, peak_x, peak_y, map_part, image_part,
            zero_shot, references, percentile, area_fraction: as in `Row`.
        unsure_threshold: score from which an image that is not anomalous is unsure; None if there
            is no such band.
        regions: connected regions at or above the threshold, largest first.
        width, height: size of the original image in pixels, after EXIF orientation.
        probability: (H, W) float32 in [0, 1], anomaly probability at network resolution.
        raw_map: (H, W) float32, the paper's summed anomaly map (unbounded).
        experts: (g, g) int, the router's first choice for each patch, if a layer was requested.
        distances: (N, rows, columns) float32, distances of the patches to each of N subsets of the
            references, if there are any.
        notes: remarks on how the image was read ("first of several pages").
        temporary: whether the cause of the error is the system and not the content of the file, so
            that another try may succeed.
        tiles: number of tiles that were scored, if the image was tiled. The maps are then those of
            all tiles, blended, at 4 megapixels at most.
        tile: the tile with the highest score.
        roi: what was inspected of the image, if not all of it. The maps are 0 elsewhere.
        moved: where the reference view lies in the image, if it was aligned. `roi` is then in the
            frame of the view; maps, boxes and peak are in that of the image.
    """

    path: str
    prompt: str
    model: str
    error: str | None = None
    score: float | None = None
    verdict: str | None = None
    threshold: float | None = None
    unsure_threshold: float | None = None
    map_max: float | None = None
    image_score: float | None = None
    peak: float | None = None
    peak_x: int | None = None
    peak_y: int | None = None
    map_part: float | None = None
    image_part: float | None = None
    zero_shot: float | None = None
    references: int | None = None
    percentile: float | None = None
    area_fraction: float | None = None
    regions: tuple[Region, ...] = ()
    width: int | None = None
    height: int | None = None
    probability: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    raw_map: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    experts: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)
    distances: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()
    temporary: bool = False
    tiles: int | None = None
    tile: Box | None = None
    roi: RegionOfInterest | None = None
    moved: Similarity | None = None

    @property
    def anomaly_map(self) -> NDArray[np.float32] | None:
        """The probability map at the original size, (height, width) float32 in [0, 1]."""
        if self.probability is None or self.width is None or self.height is None:
            return None
        size = (self.width, self.height)
        resized: NDArray[np.float32] = cv2.resize(
            self.probability, size, interpolation=cv2.INTER_LINEAR
        )
        return resized

    def overlay(self, image: Any = None, *, legend: bool | str = True) -> NDArray[np.uint8]:
        """The image coloured by its anomaly map, as `moeclip score --heatmaps` writes it.

        Args:
            image: the image in any form that `Inspector.score` takes, at any size; the file at
                `path` by default.
            legend: whether to draw the legend, or its text in place of verdict and score.

        Returns:
            (H, W, 3) uint8 RGB, the size of `image`.

        Raises:
            ImageError: if the image cannot be read.
            UsageError: if it was not scored, or was given as an array and `image` is missing.
        """
        from moeclip_cli.pictures.overlay import caption, render_overlay

        probability, threshold, score, verdict = self._scored()
        pixels = self._pixels(image)
        return render_overlay(
            pixels,
            probability,
            threshold,
            caption=legend if isinstance(legend, str) else caption(score, verdict),
            legend=bool(legend),
            mark_peak=verdict != NORMAL,
            inside=self.inspected(*pixels.shape[:2]),
        )

    def inspected(self, rows: int, columns: int) -> NDArray[np.bool_] | None:
        """Which pixels of a picture of the image, of any size, were inspected.

        Args:
            rows: height of the picture in pixels.
            columns: width of the picture in pixels.

        Returns:
            (rows, columns), or None if all were.
        """
        width, height = self.width, self.height
        if width is None or height is None or (self.roi is None and self.moved is None):
            return None
        inside = np.ones((rows, columns), bool)
        if self.roi is not None:
            inside = self.roi.covers(width, height, Box(0, 0, width, height), (rows, columns))
        if self.moved is None:
            return inside
        grey = inside.astype(np.float32)
        return self.moved.map_to_image(grey, width, height) >= _HALF

    def measure(
        self, min_area: float = 0, threshold: float | None = None
    ) -> tuple[MeasuredRegion, ...]:
        """The regions with their sizes and outlines, largest first.

        Args:
            min_area: area in original pixels below which regions are left out.
            threshold: of the map; by default the threshold of the verdict.

        Raises:
            UsageError: if the image was not scored.
        """
        from moeclip_cli.inspection.measurement import measure_regions

        probability, usual, _, _ = self._scored()
        at = usual if threshold is None else threshold
        return measure_regions(probability, at, self.width or 1, self.height or 1, min_area)

    def save(self, path: str | os.PathLike[str], image: Any = None) -> None:
        """Write the overlay to a `.png`, `.jpg` or `.jpeg` file; missing folders are made.

        Args:
            path: the file; an existing one is replaced.
            image: as for `overlay`.

        Raises:
            ImageError: as for `overlay`.
            UsageError: as for `overlay`, or if the file cannot be written or has another suffix.
        """
        from moeclip_cli.images.encode import save_picture

        formats: dict[str, PictureFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
        suffix = Path(path).suffix.lower()
        if suffix not in formats:
            raise UsageError(f"{path} must end in {', '.join(formats)}.")
        save_picture(Path(path), self.overlay(image), formats[suffix])

    def crop(self, image: Any = None, *, margin: float = 0.25) -> NDArray[np.uint8]:
        """The place of the anomaly at full resolution: the largest region, else the peak.

        Args:
            image: as for `overlay`, but of the original size.
            margin: what is added on each side, as a share of the region's longer side. Around a
                peak, the crop has a quarter of the image's shorter side.

        Returns:
            (h, w, 3) uint8 RGB.

        Raises:
            ImageError, UsageError: as for `overlay`, or if the size of `image` differs.
        """
        self._scored()
        pixels = self._pixels(image)
        height, width = pixels.shape[:2]
        if (width, height) != (self.width, self.height):
            raise UsageError(
                f"`image` has {width} x {height} pixels, but {self.width} x {self.height} were "
                "scored; give the same image."
            )
        x0, y0, x1, y1 = self._place(margin)
        return pixels[max(0, y0) : y1, max(0, x0) : x1].copy()

    def _place(self, margin: float) -> tuple[int, int, int, int]:
        if self.regions:
            box = self.regions[0]
            more = round(margin * max(box.x1 - box.x0, box.y1 - box.y0))
            return box.x0 - more, box.y0 - more, box.x1 + more, box.y1 + more
        x, y = self.peak_x or 0, self.peak_y or 0
        half = max(1, min(self.width or 1, self.height or 1) // 8)
        return x - half, y - half, x + half, y + half

    def _scored(self) -> tuple[NDArray[np.float32], float, float, str]:
        """Map, threshold, score and verdict."""
        values = (self.probability, self.threshold, self.score, self.verdict)
        probability, threshold, score, verdict = values
        if probability is None or threshold is None or score is None or verdict is None:
            raise UsageError(f"An image that was not scored has no anomaly map: {self.error}")
        return probability, threshold, score, verdict

    def _pixels(self, image: Any) -> NDArray[np.uint8]:
        from moeclip_cli.images.decode import decode

        if image is None and not self.path:
            raise UsageError("The image was not given as a file; give it again as `image`.")
        return decode(self.path if image is None else image).pixels

    def row(self) -> Row:
        """The row of this result in a results table."""
        if self.error is not None:
            return Row(path=self.path, prompt=self.prompt, model=self.model, error=self.error)
        box = self.regions[0] if self.regions else None
        return Row(
            path=self.path,
            score=self.score,
            verdict=self.verdict,
            threshold=self.threshold,
            map_max=self.map_max,
            image_score=self.image_score,
            peak=self.peak,
            peak_x=self.peak_x,
            peak_y=self.peak_y,
            map_part=self.map_part,
            image_part=self.image_part,
            zero_shot=self.zero_shot,
            references=self.references,
            percentile=self.percentile,
            area_fraction=self.area_fraction,
            regions=len(self.regions),
            x0=box.x0 if box else None,
            y0=box.y0 if box else None,
            x1=box.x1 if box else None,
            y1=box.y1 if box else None,
            width=self.width,
            height=self.height,
            prompt=self.prompt,
            model=self.model,
            tiles=self.tiles,
            tile_x0=self.tile.x0 if self.tile else None,
            tile_y0=self.tile.y0 if self.tile else None,
            tile_x1=self.tile.x1 if self.tile else None,
            tile_y1=self.tile.y1 if self.tile else None,
            shift_x=self.moved.shift_x if self.moved else None,
            shift_y=self.moved.shift_y if self.moved else None,
            rotation=self.moved.rotation if self.moved else None,
            scale=self.moved.scale if self.moved else None,
        )

    def to_dict(self) -> dict[str, object]:
        """The row as a dictionary, all regions, and the version of the fields, for JSON output."""
        row: dict[str, object] = {name: getattr(self.row(), name) for name in COLUMNS}
        if self.unsure_threshold is not None:
            row["unsure_threshold"] = self.unsure_threshold
        row["boxes"] = [vars(region) for region in self.regions]
        row["schema"] = SCHEMA
        return row
