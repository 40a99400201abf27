"""AUROC, average precision, F1-max, areas and curves, from counts at the anomalous items' scores.

A threshold calls everything at or above it anomalous; items of equal score share a threshold. Only
the scores of anomalous items matter as thresholds: between two of them the ROC curve is flat, and
F1 and precision fall. t is the number of those distinct scores, in descending order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """How anomalous items rank among normal ones.

    Where items of either label are missing nothing can be ranked, and every metric is None.

    Attributes:
        positives: (t,) anomalous items at each threshold.
        above: (t,) normal items above it.
        at_or_above: (t,) normal items at or above it, the false positives.
        normals: number of normal items.
    """

    positives: Values
    above: Values
    at_or_above: Values
    normals: int

    @property
    def defined(self) -> bool:
        """Whether there are items of both labels."""
        return self.positives.size > 0 and self.normals > 0

    def auroc(self) -> float | None:
        """Area under the ROC curve: the chance that an anomalous item ranks higher, ties half."""
        return self.area_under(self.positives)

    def area_under(self, weights: NDArray[np.floating], limit: float = 1.0) -> float | None:
        """Area under a weighted ROC curve up to a false-positive rate, divided by that rate.

        The curve's height is the weight of all anomalous items found, as a share of the whole. From
        the false-positive rate at which an item is found on, it adds its share to the height: so
        the area is the mean of what is left of the axis then, max(0, limit - rate). At a tie the
        rate is spread evenly between those without and with the tie (a straight line in the curve).

        Args:
            weights: (t,) weight of the anomalous items at each threshold.
            limit: false-positive rate, in (0, 1], at which the area ends.
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
        """Sum over thresholds of precision times the recall gained, without interpolation."""
        if not self.defined:
            return None
        found = np.cumsum(self.positives)
        return float(np.sum(self.positives * found / (found + self.at_or_above)) / found[-1])

    def f1_max(self) -> float | None:
        """The largest harmonic mean of precision and recall that any threshold gives."""
        if not self.defined:
            return None
        found = np.cumsum(self.positives)
        return float(np.max(2 * found / (found + self.at_or_above + found[-1])))

    def roc_curve(self, points: int) -> tuple[Values, Values]:
        """False-positive rates and recalls, from (0, 0) to (1, 1), thinned to some `points`."""
        found = np.append(0.0, np.cumsum(self.positives)).repeat(2)
        false = np.column_stack((self.above, self.at_or_above)).ravel()
        false = np.concatenate(([0.0], false, [self.normals]))
        return _evenly(false / self.normals, found / found[-1], points)

    def precision_recall_curve(self, points: int) -> tuple[Values, Values]:
        """Recalls and precisions, from the highest threshold down, thinned to some `points`."""
        found = np.cumsum(self.positives)
        return _evenly(found / found[-1], found / (found + self.at_or_above), points)


def rank(scores: ArrayLike, anomalous: ArrayLike) -> Ranking:
    """The ranking of single items.

    Args:
        scores: (n,) finite anomaly scores.
        anomalous: (n,) whether an item is anomalous (bool, or 0 and 1).
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
    """Points of a curve that lie evenly along it, with both ends."""
    length = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    kept = np.searchsorted(length, np.linspace(0.0, length[-1], points))
    kept = np.unique(np.append(kept, x.size - 1))
    return x[kept], y[kept]
