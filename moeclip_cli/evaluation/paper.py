"""Evaluation of one category under the paper's protocol; see `results.Protocol`.

Source: Park et al., CVPR 2026, section 4, and the authors' code. Maps and image scores are
normalised over the whole test set before the final score of an image is fused from them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moeclip_cli.evaluation.category_metrics import CategoryMetrics
from moeclip_cli.evaluation.image_metrics import image_metrics
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation, finite_map
from moeclip_cli.evaluation.ranking import Ranking
from moeclip_cli.model.config import Domain


class PaperEvaluation:
    """Collects the raw scores and maps of one category and computes the paper's metrics.

    Several processes can collect parts of a category, which are then merged. Memory is bounded
    except for four numbers per image.

    Args:
        domain: selects how the final image score is fused.
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
        """Add one image.

        Args:
            anomaly_map: (H, W) raw anomaly map, unbounded.
            image_score: raw image score.
            anomalous: the image's label.
            mask: (H, W) non-zero where anomalous, all 0 for a normal image. None excludes the image
                from the pixel metrics.

        Raises:
            ModelError: if the map contains a value that is not finite.
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
        """Add the images of another evaluation of the same category."""
        self._pixels.merge(other._pixels)
        self._lowest = min(self._lowest, other._lowest)
        self._peaks += other._peaks
        self._image_scores += other._image_scores
        self._anomalous += other._anomalous

    def fused_scores(self) -> NDArray[np.float64]:
        """(n,) final score of each image so far, in the order in which they were added."""
        return fuse(self._peaks, self._image_scores, self._lowest, self._domain)

    def pixel_ranking(self) -> Ranking:
        """Ranking of the pixels so far, for curves."""
        return self._pixels.ranking()

    def compute(self) -> CategoryMetrics:
        """Metrics of the images so far.

        Pixels are ranked by their raw values: normalising over the category keeps the order.

        Raises:
            ModelError: if an image score is not finite.
        """
        image = image_metrics(self.fused_scores(), self._anomalous)
        return CategoryMetrics(image, self._pixels.compute())


def fuse(
    peaks: ArrayLike, image_scores: ArrayLike, lowest: float, domain: Domain
) -> NDArray[np.float64]:
    """Final image scores of a category, from its raw maps and raw image scores.

    If a map value leaves [0, 1], maps are min-max normalised over the category; image scores
    likewise. Then the score is 0.5 * maximum of the map + 0.5 * image score in the industrial
    domain, and the maximum of the map in the medical domain.

    Args:
        peaks: (n,) maximum of each image's map.
        image_scores: (n,) raw image scores.
        lowest: smallest value in all maps.
        domain: selects the formula.
    """
    maxima = np.asarray(peaks, dtype=np.float64)
    maxima = _to_unit(maxima, lowest)
    if domain == "medical":
        return maxima
    scores = np.asarray(image_scores, dtype=np.float64)
    return 0.5 * maxima + 0.5 * _to_unit(scores, scores.min(initial=np.inf))


def _to_unit(values: NDArray[np.float64], lowest: float) -> NDArray[np.float64]:
    """Min-max normalised values, if they or `lowest`, the smallest of all, leave [0, 1]."""
    highest = values.max(initial=-np.inf)
    if (lowest >= 0 and highest <= 1) or highest <= lowest:
        return values
    return (values - lowest) / (highest - lowest)
