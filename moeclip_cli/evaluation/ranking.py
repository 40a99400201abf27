"""AUROC, average precision, F1-max, areas and curves, from counts at the anomalous items' scores.

Items at or above a threshold are predicted anomalous; items of equal score share a threshold. Only
the scores of anomalous items matter as thresholds: between two of them the ROC curve is flat, and
F1 and precision fall. Shapes: t is the number of those distinct scores, in descending order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """The ranking of anomalous items among normal ones.

    If there are no anomalous or no normal items, every metric is None.

    Attributes:
        positives: (t,) number of anomalous items at each threshold.
        above: (t,) number of normal items above each threshold.
        at_or_above: (t,) number of normal items at or above each threshold, the false positives.
        normals: number of normal items.
    """

    positives: Values
    above: Values
    at_or_above: Values
    normals: int

    @property
    def defined(self) -> bool:
        """True if there are items of both labels."""
        return self.positives.size > 0 and self.normals > 0

    def auroc(self) -> float | None:
        """Area under the ROC curve: probability that an anomalous item ranks higher, ties half."""
        return self.area_under(self.positives)

    def area_under(self, weights: NDArray[np.floating], limit: float = 1.0) -> float | None:
        """Area under a weighted ROC curve up to a false-positive rate, divided by that rate.

        The height of the curve is the weight of the detected anomalous items, as a share of the
        total weight. An item adds its share from the false-positive rate at which it is detected:
        so the area is the weighted mean of the rest of the axis, max(0, limit - rate). At a tie the
        rate runs evenly from the one without to the one with the tie (a straight line in the
        curve).

        Args:
            weights: (t,) weight of the anomalous items at each threshold.
            limit: false-positive rate, in (0, 1], up to which the area is taken.
        """
        if not self.defined:
            return None
        before, after = self.above / self.normals, self.at_or_above / self.normals
        left = np.maximum(limit - before, 0)
        mean_left = (left + np.maximum(limit - after, 0)) / 2
        cut = (before < limit) & (after > limit)
        mean_left[cut] = left[cut] ** 2 / (2 * (after[cut] - before[cut]))
        return float(np.sum(weights * mean_left) / np.sum(weights) / limit)

    def average_precision(self) -> float | None:
        """Sum over thresholds of precision times gain in recall, without interpolation."""
        if not self.defined:
            return None
        found = np.cumsum(self.positives)
        return float(np.sum(self.positives * found / (found + self.at_or_above)) / found[-1])

    def f1_max(self) -> float | None:
        """The largest harmonic mean of precision and recall over all thresholds."""
        if not self.defined:
            return None
        found = np.cumsum(self.positives)
        return float(np.max(2 * found / (found + self.at_or_above + found[-1])))

    def roc_curve(self, points: int) -> tuple[Values, Values]:
        """False-positive rates and recalls, from (0, 0) to (1, 1), thinned to about `points`."""
        found = np.append(0.0, np.cumsum(self.positives)).repeat(2)
        false = np.column_stack((self.above, self.at_or_above)).ravel()
        false = np.concatenate(([0.0], false, [self.normals]))
        return _evenly(false / self.normals, found / found[-1], points)

    def precision_recall_curve(self, points: int) -> tuple[Values, Values]:
        """Recalls and precisions, from the highest threshold down, thinned to about `points`."""
        found = np.cumsum(self.positives)
        return _evenly(found / found[-1], found / (found + self.at_or_above), points)


def rank(scores: ArrayLike, anomalous: ArrayLike) -> Ranking:
    """The ranking of single items.

    Args:
        scores: (n,) finite anomaly scores.
        anomalous: (n,) labels (bool, or 0 and 1).
    """
    values, labels = np.asarray(scores), np.asarray(anomalous).astype(bool)
    thresholds, positives = np.unique(values[labels], return_counts=True)
    normal = np.sort(values[~labels])
    above = normal.size - np.searchsorted(normal, thresholds, side="right")
    at_or_above = normal.size - np.searchsorted(normal, thresholds)
    return Ranking(
        positives[::-1].astype(np.float64),
        above[::-1].astype(np.float64),
        at_or_above[::-1].astype(np.float64),
        normal.size,
    )


def _evenly(x: Values, y: Values, points: int) -> tuple[Values, Values]:
    """Points at even distances along a curve, including both ends."""
    length = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    kept = np.searchsorted(length, np.linspace(0.0, length[-1], points))
    kept = np.unique(np.append(kept, x.size - 1))
    return x[kept], y[kept]
