"""A warning if pictures no longer look like the good parts of the calibration.

The scores of the latest 50 pictures below the threshold are compared with those of the good parts
below it, by the two-sample Kolmogorov-Smirnov test: D is the largest difference between the two
cumulative shares. Pictures drift while

    D > sqrt(ln(2 / alpha) / 2 * (n + m) / (n * m)),    alpha = 0.00001,

with n good parts and m = 50 pictures. As the test is repeated with every picture, alpha is low.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

_PICTURES = 50
_ALPHA = 1e-5
# With fewer good parts, even a complete change would not exceed the limit.
_FEWEST_GOOD_PARTS = 10


class Drift:
    """Watches the scores of pictures below the threshold.

    Args:
        good_scores: of the good parts of the profile.
        threshold: score from which a picture is anomalous.

    Attributes:
        pictures: number of pictures during which the scores differed.
    """

    def __init__(self, good_scores: Sequence[float], threshold: float) -> None:
        self.pictures = 0
        self._good = np.sort([score for score in good_scores if score < threshold])
        self._recent: deque[float] = deque(maxlen=_PICTURES)
        self._limit = ks_limit(len(self._good)) if self.is_checked else 1.0

    @property
    def is_checked(self) -> bool:
        """True if there are enough good parts to compare with."""
        return len(self._good) >= _FEWEST_GOOD_PARTS

    def add(self, score: float) -> str | None:
        """Count a picture below the threshold.

        Args:
            score: its score.

        Returns:
            A sentence for the user the first time that the scores differ.
        """
        self._recent.append(score)
        if not self.is_checked or len(self._recent) < _PICTURES:
            return None
        recent = np.sort(self._recent)
        if ks_distance(self._good, recent) <= self._limit:
            return None
        self.pictures += 1
        if self.pictures > 1:
            return None
        direction = "higher" if np.median(recent) > np.median(self._good) else "lower"
        return (
            f"The latest {_PICTURES} pictures below the threshold score {direction} than the good "
            f"parts of the profile: the median is {np.median(recent):.3f}, not "
            f"{np.median(self._good):.3f}. "
            "Check camera, light and parts, then calibrate again."
        )


def ks_limit(good_parts: int) -> float:
    """The distance from which the latest pictures differ from this number of good parts."""
    return math.sqrt(math.log(2 / _ALPHA) / 2 * (1 / good_parts + 1 / _PICTURES))


def ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The Kolmogorov-Smirnov statistic of two ascending samples, in [0, 1]."""
    both = np.concatenate([first, second])
    shares = [np.searchsorted(each, both, side="right") / len(each) for each in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())
