"""Counts and the most anomalous images of a run, in constant memory."""

from __future__ import annotations

import heapq
import itertools
import time
from dataclasses import dataclass, field

from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.verdicts import ANOMALOUS, UNSURE

TOP = 10

# Of the images below the threshold, more than half have a score above this share of the good ones
# in percent: among parts like those of the calibration, a fifth of them would.
_HIGH_PERCENTILE = 80
# Fewer images may be unusual by chance.
_ENOUGH = 20


@dataclass
class Summary:
    """Counts, speed and the most anomalous images of a run.

    Attributes:
        anomalous: images at or above the threshold.
        unsure: images in the band below it, if there is one.
        normal: all other images with a score.
        failed: images that could not be scored.
        scored_now: images of this process, without rows that a resumed run kept.
        high: images below the threshold with a score higher than 80% of the good parts.
    """

    anomalous: int = 0
    unsure: int = 0
    normal: int = 0
    failed: int = 0
    scored_now: int = 0
    high: int = 0
    _started: float = field(default_factory=time.monotonic, repr=False)
    _top: list[tuple[float, int, Row]] = field(default_factory=list, repr=False)
    _order: itertools.count[int] = field(default_factory=itertools.count, repr=False)

    def add(self, row: Row, *, now: bool = True) -> Row:
        """Count a row and return it.

        Args:
            row: of one image.
            now: whether this process scored it.
        """
        self.scored_now += now
        if row.score is None:
            self.failed += 1
            return row
        if row.verdict == ANOMALOUS:
            self.anomalous += 1
        else:
            self.unsure += row.verdict == UNSURE
            self.normal += row.verdict != UNSURE
            self.high += row.percentile is not None and row.percentile >= _HIGH_PERCENTILE
        # The negative order keeps the earlier of two equal scores.
        entry = (row.score, -next(self._order), row)
        if len(self._top) < TOP:
            heapq.heappush(self._top, entry)
        else:
            heapq.heappushpop(self._top, entry)
        return row

    @property
    def images(self) -> int:
        """All images with a row, failed ones included."""
        return self.anomalous + self.unsure + self.normal + self.failed

    @property
    def below(self) -> int:
        """Images below the threshold, unsure ones included."""
        return self.unsure + self.normal

    @property
    def drifted(self) -> bool:
        """True if images below the threshold score higher than the good parts of the profile did.

        The median of at least 20 images below the threshold is above 80% of the good scores.
        """
        return self.below >= _ENOUGH and 2 * self.high > self.below

    @property
    def most_anomalous(self) -> list[Row]:
        """The rows with the highest scores, highest first."""
        return [row for _, _, row in sorted(self._top, reverse=True)]

    @property
    def seconds(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started

    @property
    def images_per_second(self) -> float:
        """Speed of this process."""
        return self.scored_now / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self, *, band: bool) -> dict[str, object]:
        """Counts and speed, for a run card or JSON output.

        Args:
            band: whether images can be unsure.
        """
        return {
            "images": self.images,
            "anomalous": self.anomalous,
            **({"unsure": self.unsure} if band else {}),
            "normal": self.normal,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 3),
        }
