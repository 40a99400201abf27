"""Metrics of pixels, in one pass over the anomaly maps and in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.pro import pro, region_weights
from moeclip_cli.evaluation.ranking import Ranking
from moeclip_cli.evaluation.score_sketch import Run, ScoreSketch, SketchLimits


@dataclass(frozen=True)
class PixelMetrics:
    """How well maps separate anomalous from normal pixels, each in [0, 1].

    None where a metric is not defined: without masks, or with pixels of one label only.

    Attributes:
        auroc: area under the ROC curve.
        average_precision: step-wise, as scikit-learn's.
        f1_max: the best F1 that any threshold gives.
        pro: per-region overlap up to a false-positive rate of 0.3, normalised.
        error_bound: proven bound on the error of `auroc` and `average_precision`, 0 if exact.
    """

    auroc: float | None
    average_precision: float | None
    f1_max: float | None
    pro: float | None
    error_bound: float = 0.0


class PixelEvaluation:
    """Collects maps and masks, one image at a time, and gives the metrics of all their pixels.

    Parts of a category can be collected apart (by several processes) and merged.

    Args:
        limits: what is kept of normal pixels. Of anomalous ones, which are fewer and count for more
            in AP, an eighth as many are buffered, and cells are half as large.

    Accuracy. A sketch each of normal and of anomalous pixels knows how many lie at or above any
    threshold, FP and TP, to relative errors f and e (see `score_sketch`). Then

    - AUROC is off by at most the larger of f and e: moving normal pixels changes it by at most
      f * (1 - AUROC), moving anomalous ones by at most e * AUROC.
    - AP, the mean of q = TP / (TP + FP) over anomalous pixels, is off by at most f / 4 + 1.25 * e.
      An error of FP or of TP changes q by q * (1 - q) <= 1 / 4 of it. Besides, a group of at most
      e * TP anomalous pixels may have been moved past normal ones over which q falls by d. The sum
      of TP * d over all groups is at most the number of anomalous pixels, because TP * q starts at
      0, stays positive, and rises by no more than TP does: that costs another e.

    The bound grows with the logarithm of the number of pixels; for 10^9 it is below 5e-5 (0.005
    points of 100), even if half of them are anomalous. Moves up and down cancel, so the true error
    is far smaller: `benchmarks/pixel_metrics.py` measures it.
    """

    def __init__(self, limits: SketchLimits | None = None) -> None:
        limits = limits or SketchLimits()
        self._normal = ScoreSketch(weighted=False, limits=limits)
        finer = replace(limits, buffer=limits.buffer // 8, cell=limits.cell / 2)
        self._anomalous = ScoreSketch(weighted=True, limits=finer)
        self._normals = 0

    def update(self, anomaly_map: ArrayLike, mask: ArrayLike) -> None:
        """Count the pixels of one image.

        Args:
            anomaly_map: (H, W) anomaly scores in any range; taken as float32.
            mask: (H, W) not 0 where anomalous.

        Raises:
            ModelError: if the map holds a value that is not a finite number.
            ValueError: if the two differ in shape.
        """
        scores = finite_map(anomaly_map)
        defects = np.asarray(mask).astype(bool)
        if scores.ndim != 2 or scores.shape != defects.shape:
            raise ValueError(f"a map of shape {scores.shape} has a mask of {defects.shape}")
        normal = scores[~defects]
        self._normal.add(normal)
        self._normals += normal.size
        if normal.size < scores.size:
            self._anomalous.add(scores[defects], region_weights(defects))

    def merge(self, other: PixelEvaluation) -> None:
        """Take in what another one has collected."""
        self._normal.merge(other._normal)
        self._anomalous.merge(other._anomalous)
        self._normals += other._normals

    def ranking(self) -> Ranking:
        """How the anomalous pixels so far rank, for curves."""
        return self._rank(self._anomalous.run())

    def compute(self) -> PixelMetrics:
        """The metrics of all pixels so far."""
        anomalous = self._anomalous.run()
        ranking = self._rank(anomalous)
        f, e = self._normal.error, self._anomalous.error
        return PixelMetrics(
            auroc=ranking.auroc(),
            average_precision=ranking.average_precision(),
            f1_max=ranking.f1_max(),
            pro=pro(ranking, anomalous.weights[::-1]),
            error_bound=max(f, e, f / 4 + 1.25 * e),
        )

    def _rank(self, anomalous: Run) -> Ranking:
        above, at_or_above = self._normal.counts(anomalous.scores)
        return Ranking(anomalous.counts[::-1], above[::-1], at_or_above[::-1], self._normals)


def finite_map(anomaly_map: ArrayLike) -> NDArray[np.float32]:
    """The map as a float32 array.

    Raises:
        ModelError: if it holds a value that is not a finite number.
    """
    scores = np.asarray(anomaly_map, dtype=np.float32)
    # Either extreme is NaN if any value is.
    if not np.isfinite((scores.min(), scores.max())).all():
        raise ModelError(
            "An anomaly map holds values that are not finite numbers: "
            "try --precision fp32, or another checkpoint."
        )
    return scores
