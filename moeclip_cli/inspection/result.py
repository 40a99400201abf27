"""The inspection of one image: the result in memory and its row in a table."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NORMAL = "normal"
ANOMALOUS = "anomalous"


@dataclass(frozen=True)
class Row:
    """One row of a results table; the fields, in this order, are its columns.

    An image that cannot be read has only `path`, `prompt`, `model` and `error`.

    Attributes:
        path: path of the image as the user gave it.
        score: anomaly score in [0, 1].
        verdict: "anomalous" if score >= threshold, else "normal".
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

    Attributes:
        path: path of the image as the user gave it; "" for an image given as an array.
        prompt: name of the object.
        model: name of the model.
        error: one sentence, if the image cannot be scored; everything below is then empty.
        score, verdict, threshold, map_max, image_score, peak, peak_x, peak_y, map_part, image_part,
            zero_shot, references, percentile, area_fraction: as in `Row`.
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
    """

    path: str
    prompt: str
    model: str
    error: str | None = None
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
    regions: tuple[Region, ...] = ()
    width: int | None = None
    height: int | None = None
    probability: NDArray[np.float32] | None = field(default=None, repr=False)
    raw_map: NDArray[np.float32] | None = field(default=None, repr=False)
    experts: NDArray[np.int64] | None = field(default=None, repr=False)
    distances: NDArray[np.float32] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    temporary: bool = False

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
        )

    def to_dict(self) -> dict[str, object]:
        """The row as a dictionary, plus all regions, for JSON output."""
        row: dict[str, object] = {name: getattr(self.row(), name) for name in COLUMNS}
        row["boxes"] = [vars(region) for region in self.regions]
        return row
