"""From a score to a verdict: one threshold, or two with a band of unsure images between them."""

from __future__ import annotations

from dataclasses import dataclass, field

NORMAL = "normal"
UNSURE = "unsure"
ANOMALOUS = "anomalous"

VERDICTS = (ANOMALOUS, UNSURE, NORMAL)
"""All verdicts, the highest scores first."""


@dataclass(frozen=True)
class Threshold:
    """What turns scores into verdicts.

    Attributes:
        value: an image is anomalous at this score and above.
        unsure: an image that is not anomalous is unsure at this score and above; None if there is
            no band of unsure images.
    """

    value: float
    unsure: float | None = field(default=None, kw_only=True)

    def verdict(self, score: float) -> str:
        """The verdict on an image with this score: one of `VERDICTS`."""
        if score >= self.value:
            return ANOMALOUS
        if self.unsure is not None and score >= self.unsure:
            return UNSURE
        return NORMAL
