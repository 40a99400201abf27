"""AUROC, average precision, F1-max and their curves, from counts at every threshold.

Scores rank; a threshold calls everything at or above it anomalous. Equal scores share a threshold,
as in scikit-learn. t is the number of thresholds, which run from the highest score down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """How many anomalous and normal items lie at or above each threshold.

    Without items of both labels nothing can be ranked, and every metric is None.

    Attributes:
        true_positives: (t,) anomalous items, ascending; the last is all of them.
        false_positives: (t,) normal items, ascending; the last is all of them.
    """

    true_positives: Values
    false_positives: Values

    @property
    def defined(self) -> bool:
        """Whether there are items of both labels."""
        both = self.true_positives.size and self.true_positives[-1] and self.false_positives[-1]
        return bool(both)

    @property
    def recall(self) -> Values:
        """(t,) share of the anomalous items that is found, the true-positive rate."""
        return self.true_positives / self.true_positives[-1]

    @property
    def false_positive_rate(self) -> Values:
        """(t,) share of the normal items that is called anomalous."""
        return self.false_positives / self.false_positives[-1]

    @property
    def precision(self) -> Values:
        """(t,) share of what is called anomalous that is."""
        return self.true_positives / (self.true_positives + self.false_positives)

    def auroc(self) -> float | None:
        """Area under the ROC curve: ties count half."""
        if not self.defined:
            return None
        return area(self.false_positive_rate, self.recall)

    def average_precision(self) -> float | None:
        """Sum over thresholds of precision times the recall gained, without interpolation."""
        if not self.defined:
            return None
        return float(np.sum(self.precision * np.diff(self.recall, prepend=0.0)))

    def f1_max(self) -> float | None:
        """The largest harmonic mean of precision and recall that any threshold gives."""
        if not self.defined:
            return None
        called = self.true_positives + self.false_positives
        return float(np.max(2 * self.true_positives / (called + self.true_positives[-1])))

    def roc_curve(self, points: int) -> tuple[Values, Values]:
        """False-positive rate and recall, from (0, 0) to (1, 1), thinned to some `points` pairs."""
        return _thinned(
            np.append(0.0, self.false_positive_rate), np.append(0.0, self.recall), points
        )

    def precision_recall_curve(self, points: int) -> tuple[Values, Values]:
        """Recall and precision, from the highest threshold down, thinned to some `points` pairs."""
        return _thinned(self.recall, self.precision, points)


def rank(scores: ArrayLike, anomalous: ArrayLike) -> Ranking:
    """The ranking of single items.

    Args:
        scores: (n,) finite anomaly scores.
        anomalous: (n,) whether an item is anomalous (bool, or 0 and 1).
    """
    labels = np.asarray(anomalous).astype(bool)
    above = cumulate(np.asarray(scores), np.stack((labels, ~labels)).astype(np.float64))
    return Ranking(*above)


def cumulate(scores: NDArray[np.floating], weights: Values) -> Values:
    """Sums of weights at or above each distinct score, from the highest down.

    Args:
        scores: (n,) finite scores in any order.
        weights: (c, n) one row for each sum.

    Returns:
        (c, t) sums, t the number of distinct scores.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if ranked.size else order
    return np.stack([np.cumsum(row[order])[last] for row in weights])


def area(x: Values, y: Values) -> float:
    """Area under the straight lines from (0, 0) through the points, x ascending."""
    left = np.append(0.0, y[:-1])
    return float(np.sum(np.diff(x, prepend=0.0) * (left + y) / 2))


def _thinned(x: Values, y: Values, points: int) -> tuple[Values, Values]:
    """Points that lie evenly along the curve, with both ends."""
    length = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    kept = np.searchsorted(length, np.linspace(0.0, length[-1], points))
    kept = np.unique(np.append(kept, x.size - 1))
    return x[kept], y[kept]
