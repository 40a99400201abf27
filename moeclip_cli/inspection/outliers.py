"""A limit above which a score does not belong to the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Between median absolute deviation and standard deviation of a normal distribution.
_TO_DEVIATION = 1.4826


def outlier_limit(scores: Sequence[float], deviations: float, least: float) -> float:
    """The median plus some robust standard deviations, which a few outliers do not change.

    Args:
        scores: at least one.
        deviations: number of deviations.
        least: distance from the median at least, as nearly equal scores differ by less.
    """
    median = np.median(scores)
    deviation = _TO_DEVIATION * np.median(np.abs(np.array(scores) - median))
    return float(median + max(deviations * deviation, least))
