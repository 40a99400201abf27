"""The evaluation of one category as in the paper (Park et al., CVPR 2026, section 4) and its code.

It looks at the whole test set: maps and image scores are normalised over it before an image's
final score is fused from them. A deployed tool cannot; `inspection.scoring` has the score for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moeclip_cli.checkpoints.configuration import Domain
from moeclip_cli.evaluation.image_metrics import ImageMetrics, image_metrics
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation, PixelMetrics, finite_map
from moeclip_cli.evaluation.ranking import Ranking


@dataclass(frozen=True)
class CategoryMetrics:
    """Metrics of one category.

    Attributes:
        image: metrics of the fused image scores.
        pixel: metrics of the maps' pixels, over the images that have a mask.
    """

    image: ImageMetrics
    pixel: PixelMetrics


class PaperEvaluation:
    """Collects one category's images and gives its metrics as the paper defines them.

    Parts of a category can be collected apart (by several processes) and merged. What is kept is
    bounded, but for four numbers an image.

    Args:
        domain: decides how the final image score is fused.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._pixels = PixelEvaluation()
        self._lowest = np.inf
        self._peaks: list[float] = []
        self._image_scores: list[float] = []
        self._anomalous: list[bool] = []

    def update(
        self,
        anomaly_map: ArrayLike,
        image_score: float,
        anomalous: bool,
        mask: ArrayLike | None,
    ) -> None:
        """Take in one image.

        Args:
            anomaly_map: (S, S) the raw anomaly map, unbounded.
            image_score: the raw image score.
            anomalous: the image's label.
            mask: (S, S) not 0 where anomalous; None if there is none, then the image does not count
                in the metrics of pixels. A normal image's mask is all 0.

        Raises:
            ModelError: if the map holds a value that is not a finite number.
            ValueError: if map and mask differ in shape.
        """
        scores = finite_map(anomaly_map)
        if mask is not None:
            self._pixels.update(scores, mask)
        self._lowest = min(self._lowest, float(scores.min()))
        self._peaks.append(float(scores.max()))
        self._image_scores.append(float(image_score))
        self._anomalous.append(bool(anomalous))

    def merge(self, other: PaperEvaluation) -> None:
        """Take in what another one has collected of the same category."""
        self._pixels.merge(other._pixels)
        self._lowest = min(self._lowest, other._lowest)
        self._peaks += other._peaks
        self._image_scores += other._image_scores
        self._anomalous += other._anomalous

    def fused_scores(self) -> NDArray[np.float64]:
        """(n,) final score of each image so far, in the order in which they were taken in."""
        return fuse(self._peaks, self._image_scores, self._lowest, self._domain)

    def pixel_ranking(self) -> Ranking:
        """How the anomalous pixels so far rank, for curves."""
        return self._pixels.ranking()

    def compute(self) -> CategoryMetrics:
        """The metrics of the images so far.

        Pixels are ranked as they are: normalising maps over the category does not change an order.

        Raises:
            ModelError: if an image score is not a finite number.
        """
        image = image_metrics(self.fused_scores(), self._anomalous)
        return CategoryMetrics(image, self._pixels.compute())


def fuse(
    peaks: ArrayLike, image_scores: ArrayLike, lowest: float, domain: Domain
) -> NDArray[np.float64]:
    """Final image scores of a category, from its raw maps and raw image scores.

    Map values that leave [0, 1] are min-max normalised over the category, image scores likewise;
    industrial: 0.5 * maximum of the map + 0.5 * image score; medical: maximum of the map.

    Args:
        peaks: (n,) maximum of each image's map.
        image_scores: (n,) one for each image.
        lowest: the smallest value in all maps.
        domain: which of the two formulas.
    """
    maxima = np.asarray(peaks, dtype=np.float64)
    maxima = _to_unit(maxima, lowest)
    if domain == "medical":
        return maxima
    scores = np.asarray(image_scores, dtype=np.float64)
    return 0.5 * maxima + 0.5 * _to_unit(scores, scores.min(initial=np.inf))


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """The plain mean of the values that are defined; None if none is."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def _to_unit(values: NDArray[np.float64], lowest: float) -> NDArray[np.float64]:
    """Values min-max normalised, if they or `lowest`, the smallest of all, leave [0, 1]."""
    highest = values.max(initial=-np.inf)
    if (lowest >= 0 and highest <= 1) or highest <= lowest:
        return values
    return (values - lowest) / (highest - lowest)
