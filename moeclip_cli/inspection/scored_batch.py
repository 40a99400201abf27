"""From the scores of a batch to the result of each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.regions import find_regions
from moeclip_cli.inspection.result import ANOMALOUS, NORMAL, Result
from moeclip_cli.pictures.peak import find_peak


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

    def score(self, i: int) -> float:
        """The score of image `i`."""
        return self._score[i]

    def result(
        self,
        i: int,
        item: PreparedImage,
        *,
        model: str,
        threshold: float,
        references: int | None = None,
        percentile: float | None = None,
    ) -> Result:
        """The result of image `i`.

        Args:
            i: number of the image in the batch.
            item: the image.
            model: name of the model in tables.
            threshold: an image is anomalous at this score and above.
            references: number of images that it was compared with.
            percentile: share of the good parts with a lower score, in percent.
        """
        probability, score = self._probability[i], self._score[i]
        peak, peak_x, peak_y = find_peak(probability, item.width, item.height)
        return Result(
            item.path,
            item.prompt,
            model,
            score=score,
            verdict=ANOMALOUS if score >= threshold else NORMAL,
            threshold=threshold,
            map_max=self._map_max[i],
            image_score=self._image_score[i],
            peak=peak,
            peak_x=peak_x,
            peak_y=peak_y,
            map_part=score - self._image_part[i],
            image_part=self._image_part[i],
            zero_shot=None if self._zero_shot is None else self._zero_shot[i],
            references=references,
            percentile=percentile,
            area_fraction=float((probability >= threshold).mean()),
            regions=find_regions(probability, threshold, item.width, item.height),
            width=item.width,
            height=item.height,
            probability=probability,
            raw_map=self._raw_map[i],
            experts=None if self._experts is None else self._experts[i],
            distances=None if self._distances is None else self._distances[i],
            notes=item.notes,
        )


def ordinary_image() -> NDArray[np.uint8]:
    """An image (64, 64, 3) with edges, a gradient and colours, like any photo."""
    rows, columns = np.mgrid[0:64, 0:64]
    squares = 128 * ((rows // 8 + columns // 8) % 2)
    return np.stack([squares + columns, squares + rows, 2 * rows + 2], axis=-1).astype(np.uint8)
