"""Evaluation of one category under the deployed protocol; see `results.Protocol`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moeclip_cli.evaluation.category_metrics import CategoryMetrics
from moeclip_cli.evaluation.image_metrics import image_metrics
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation
from moeclip_cli.evaluation.ranking import Ranking


class DeployedEvaluation:
    """Collects the deployed scores and maps of one category. Parts can be merged.

    The counterpart of `paper.PaperEvaluation`. Their difference is the effect of normalising over
    the test set, which is not available when a single image is inspected.
    """

    def __init__(self) -> None:
        self._pixels = PixelEvaluation()
        self._scores: list[float] = []
        self._anomalous: list[bool] = []

    def update(
        self,
        probability: ArrayLike,
        score: float,
        anomalous: bool,
        mask: ArrayLike | None,
    ) -> None:
        """Add one image.

        Args:
            probability: (H, W) deployed anomaly map in [0, 1].
            score: deployed score in [0, 1].
            anomalous: the image's label.
            mask: (H, W) non-zero where anomalous; None if the image has no mask.

        Raises:
            ModelError: if a map with a mask contains a value that is not finite.
            ValueError: if map and mask differ in shape.
        """
        if mask is not None:
            self._pixels.update(probability, mask)
        self._scores.append(score)
        self._anomalous.append(anomalous)

    def merge(self, other: DeployedEvaluation) -> None:
        """Add the images of another evaluation of the same category."""
        self._pixels.merge(other._pixels)
        self._scores += other._scores
        self._anomalous += other._anomalous

    def fused_scores(self) -> NDArray[np.float64]:
        """(n,) final score of each image so far, in the order in which they were added."""
        return np.asarray(self._scores, dtype=np.float64)

    def compute(self) -> CategoryMetrics:
        """Metrics of the images so far.

        Raises:
            ModelError: if a score is not finite.
        """
        return CategoryMetrics(image_metrics(self._scores, self._anomalous), self._pixels.compute())

    def pixel_ranking(self) -> Ranking:
        """Ranking of the pixels so far, for curves."""
        return self._pixels.ranking()
