"""The evaluation of one category by the scores that a user gets, one image at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moeclip_cli.evaluation.image_metrics import image_metrics
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation
from moeclip_cli.evaluation.protocol import CategoryMetrics
from moeclip_cli.evaluation.ranking import Ranking


class DeployedEvaluation:
    """Collects one category's images; nothing is normalised over them. Parts can be merged.

    The counterpart of `protocol.PaperEvaluation`: what the two differ by is what the paper's
    normalisation over the test set is worth, which nobody has who inspects one image.
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
        """Take in one image.

        Args:
            probability: (S, S) deployed anomaly map in [0, 1].
            score: deployed score in [0, 1].
            anomalous: the image's label.
            mask: (S, S) not 0 where anomalous; None if there is none.
        """
        if mask is not None:
            self._pixels.update(probability, mask)
        self._scores.append(score)
        self._anomalous.append(anomalous)

    def merge(self, other: DeployedEvaluation) -> None:
        """Take in what another one has collected of the same category."""
        self._pixels.merge(other._pixels)
        self._scores += other._scores
        self._anomalous += other._anomalous

    def fused_scores(self) -> NDArray[np.float64]:
        """(n,) final score of each image so far, in the order in which they were taken in."""
        return np.asarray(self._scores, dtype=np.float64)

    def compute(self) -> CategoryMetrics:
        """The metrics of the images so far.

        Raises:
            ModelError: if a score is not a finite number.
        """
        return CategoryMetrics(image_metrics(self._scores, self._anomalous), self._pixels.compute())

    def pixel_ranking(self) -> Ranking:
        """How the anomalous pixels so far rank, for curves."""
        return self._pixels.ranking()
