"""Pixel-level metrics, in one pass over the anomaly maps and in bounded memory."""

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
    """Separation of anomalous from normal pixels by their map values, each metric in [0, 1].

    All are None if there are no masks or all pixels have the same label.

    Attributes:
        auroc: area under the ROC curve.
        average_precision: step-wise, as in scikit-learn.
        f1_max: best F1 over all thresholds.
        pro: per-region overlap up to a false-positive rate of 0.3, normalised.
        error_bound: proven bound on the error of `auroc` and `average_precision`, 0 if exact.
    """

    auroc: float | None
    average_precision: float | None
    f1_max: float | None
    pro: float | None
    error_bound: float = 0.0


class PixelEvaluation:
    """Collects maps and masks, one image at a time, and computes the metrics of all pixels.

    Several processes can collect parts of a category, which are then merged.

    Args:
        limits: limits of the sketch of normal pixels. The sketch of anomalous pixels, which are
            fewer and count for more in AP, has an eighth of the buffer and cells half as large.

    Accuracy. One sketch of the normal and one of the anomalous pixels count the pixels at or above
    any threshold, FP and TP, with relative errors f and e (see `score_sketch`). Then

    - the error of AUROC is at most the larger of f and e: moving normal pixels changes AUROC by at
      most f * (1 - AUROC), moving anomalous ones by at most e * AUROC.
    - the error of AP, the mean of q = TP / (TP + FP) over anomalous pixels, is at most
      f / 4 + 1.25 * e. An error of FP or TP changes q by q * (1 - q) <= 1 / 4 of it. In addition, a
      group of at most e * TP anomalous pixels may have been moved past normal ones over which q
      falls by d. The sum of TP * d over all groups is at most the number of anomalous pixels,
      because TP * q starts at 0, stays positive, and rises by no more than TP does: this adds
      another e.

    The bound grows with the logarithm of the number of pixels; for 10^9 pixels it is below 5e-5
    (0.005 percentage points), even if half of them are anomalous. Moves up and down cancel, so the
    actual error is far smaller: `benchmarks/pixel_metrics.py` measures it.
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
            anomaly_map: (H, W) anomaly scores in any range; converted to float32.
            mask: (H, W) non-zero where anomalous.

        Raises:
            ModelError: if the map contains a value that is not finite.
            ValueError: if map and mask differ in shape.
        """
        scores = finite_map(anomaly_map)
        defects = np.asarray(mask).astype(bool)
        if scores.ndim != 2 or scores.shape != defects.shape:
            raise ValueError(f"map has shape {scores.shape}, but mask has shape {defects.shape}")
        normal = scores[~defects]
        self._normal.add(normal)
        self._normals += normal.size
        if normal.size < scores.size:
            self._anomalous.add(scores[defects], region_weights(defects))

    def merge(self, other: PixelEvaluation) -> None:
        """Add the pixels of another evaluation."""
        self._normal.merge(other._normal)
        self._anomalous.merge(other._anomalous)
        self._normals += other._normals

    def ranking(self) -> Ranking:
        """Ranking of the pixels so far, for curves."""
        return self._rank(self._anomalous.run())

    def compute(self) -> PixelMetrics:
        """Metrics of the pixels so far."""
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
        ModelError: if it contains a value that is not finite.
    """
    scores = np.asarray(anomaly_map, dtype=np.float32)
    # Either extreme is NaN if any value is.
    if not np.isfinite((scores.min(), scores.max())).all():
        raise ModelError(
            "An anomaly map contains values that are not finite numbers. Set `precision` to fp32, "
            "or use another checkpoint."
        )
    return scores
