"""Scores of good parts: what percentiles refer to, and what a threshold follows from."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from moeclip_cli.inspection.conformal import conformal_threshold, in_words
from moeclip_cli.inspection.profile import Profile, Rule
from moeclip_cli.inspection.thresholds import AppliedThreshold

if TYPE_CHECKING:
    from moeclip_cli.inspection.references import References

Origin = Literal["profile", "references"]


@dataclass(frozen=True)
class GoodScores:
    """Scores of good parts; there may be none.

    Attributes:
        scores: in [0, 1], ascending.
        rule: "split" if the good parts are not references, "jackknife+" if they are.
        origin: whether a profile or the images of a run were the source.
    """

    scores: tuple[float, ...] = ()
    rule: Rule = "split"
    origin: Origin = "profile"

    @classmethod
    def known(cls, profile: Profile | None, references: References | None) -> GoodScores:
        """Those of the profile, else those of the references, if there is either."""
        if profile is not None:
            return cls(tuple(sorted(profile.scores)), profile.rule)
        if references is not None:
            return cls(tuple(sorted(references.scores)), "jackknife+", "references")
        return cls()

    def __len__(self) -> int:
        return len(self.scores)

    def percentile(self, score: float) -> float | None:
        """Share of the scores below `score` in percent; None if there are none."""
        if not self.scores:
            return None
        return 100 * bisect_left(self.scores, score) / len(self.scores)

    def threshold(self, false_alarms: float) -> AppliedThreshold:
        """The conformal threshold at a rate of false alarms.

        Args:
            false_alarms: in (0, 1).

        Raises:
            UsageError: if the rate is out of range, or there are too few scores for it.
        """
        words = in_words(false_alarms, len(self), left_out=self.rule == "jackknife+")
        source = f"profile: {words}" if self.origin == "profile" else words
        return AppliedThreshold(conformal_threshold(self.scores, false_alarms), source)
