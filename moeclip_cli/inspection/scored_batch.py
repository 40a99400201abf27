"""From the scores of a batch to the result of each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.regions import find_regions
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.roi import RegionOfInterest
from moeclip_cli.inspection.similarity import Similarity
from moeclip_cli.inspection.verdicts import Threshold
from moeclip_cli.pictures.peak import find_peak
from moeclip_cli.tiles.grid import Box


@dataclass(frozen=True, eq=False)
class ImageScores:
    """Scores of one image, or of one window of an image, on the CPU.

    Attributes:
        score, map_max, image_score, image_part, zero_shot: see `Scores`.
        probability: (H, W) float32 in [0, 1].
        raw_map: (H, W) float32.
        experts: (g, g) first choices of experts, if they are wanted.
        distances: (N, rows, columns) distances to subsets of the references, if there are any.
    """

    score: float
    map_max: float
    image_score: float
    image_part: float
    zero_shot: float | None
    probability: NDArray[np.float32]
    raw_map: NDArray[np.float32]
    experts: NDArray[np.int64] | None = None
    distances: NDArray[np.float32] | None = None

    def result(
        self,
        item: PreparedImage,
        *,
        model: str,
        threshold: Threshold,
        references: int | None = None,
        percentile: float | None = None,
        tiles: int | None = None,
        tile: Box | None = None,
        roi: RegionOfInterest | None = None,
        moved: Similarity | None = None,
    ) -> Result:
        """The result of the image.

        Args:
            item: the image.
            model: name of the model in tables.
            threshold: gives the verdict.
            references: number of images that it was compared with.
            percentile: share of the good parts with a lower score, in percent.
            tiles: number of tiles that it was scored in.
            tile: the tile with the highest score.
            roi: what was inspected of the image; None for all of it.
            moved: where the reference view lies in it, if it was aligned.
        """
        peak, peak_x, peak_y = find_peak(self.probability, item.width, item.height)
        return Result(
            item.path,
            item.prompt,
            model,
            score=self.score,
            verdict=threshold.verdict(self.score),
            threshold=threshold.value,
            unsure_threshold=threshold.unsure,
            map_max=self.map_max,
            image_score=self.image_score,
            peak=peak,
            peak_x=peak_x,
            peak_y=peak_y,
            map_part=self.score - self.image_part,
            image_part=self.image_part,
            zero_shot=self.zero_shot,
            references=references,
            percentile=percentile,
            area_fraction=float((self.probability >= threshold.value).mean()),
            regions=find_regions(self.probability, threshold.value, item.width, item.height),
            width=item.width,
            height=item.height,
            probability=self.probability,
            raw_map=self.raw_map,
            experts=self.experts,
            distances=self.distances,
            notes=item.notes,
            tiles=tiles,
            tile=tile,
            roi=roi,
            moved=moved,
        )


@dataclass(frozen=True, eq=False)
class ScoreArrays:
    """Scores of a batch as arrays, float32.

    Attributes:
        score, probability, map_max, image_score, raw_map, image_part, zero_shot, distances: as in
            `moeclip_cli.model.scoring.Scores`.
        finite: (B,) bool, for each image whether all its scores and maps are finite.
        experts: first choices of experts (B, g, g), if they are wanted.
    """

    score: NDArray[Any]
    probability: NDArray[Any]
    map_max: NDArray[Any]
    image_score: NDArray[Any]
    raw_map: NDArray[Any]
    image_part: NDArray[Any]
    finite: NDArray[np.bool_]
    zero_shot: NDArray[Any] | None = None
    distances: NDArray[Any] | None = None
    experts: NDArray[Any] | None = None


class ScoredBatch:
    """Scores of a batch.

    Args:
        scores: of the images.

    Attributes:
        finite: for each image, whether all its numbers are finite.
    """

    def __init__(self, scores: ScoreArrays) -> None:
        self._probability = scores.probability
        self._raw_map = scores.raw_map
        self._score: list[float] = scores.score.tolist()
        self._map_max: list[float] = scores.map_max.tolist()
        self._image_score: list[float] = scores.image_score.tolist()
        self._image_part: list[float] = scores.image_part.tolist()
        zero_shot = scores.zero_shot
        self._zero_shot = None if zero_shot is None else zero_shot.tolist()
        self._experts = scores.experts
        self._distances = scores.distances
        self.finite: list[bool] = scores.finite.tolist()

    def image(self, i: int) -> ImageScores:
        """The scores of image `i`."""
        return ImageScores(
            score=self._score[i],
            map_max=self._map_max[i],
            image_score=self._image_score[i],
            image_part=self._image_part[i],
            zero_shot=None if self._zero_shot is None else self._zero_shot[i],
            probability=self._probability[i],
            raw_map=self._raw_map[i],
            experts=None if self._experts is None else self._experts[i],
            distances=None if self._distances is None else self._distances[i],
        )


def ordinary_image() -> NDArray[np.uint8]:
    """An image (64, 64, 3) with edges, a gradient and colours, like any photo."""
    rows, columns = np.mgrid[0:64, 0:64]
    squares = 128 * ((rows // 8 + columns // 8) % 2)
    return np.stack([squares + columns, squares + rows, 2 * rows + 2], axis=-1).astype(np.uint8)
