"""The choice of the threshold that turns a score into a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.conformal import attainable_rate, conformal_threshold
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.references import References

# Used where none was measured: scores of an uncalibrated checkpoint have no natural cut.
FALLBACK = 0.5

# Distances of good parts to a single other one vary with the product; most are below this.
SINGLE_REFERENCE = 0.6


@dataclass(frozen=True)
class AppliedThreshold:
    """A threshold in use.

    Attributes:
        value: an image is anomalous at this score and above.
        source: origin of the threshold, in a few words for tables and reports.
    """

    value: float
    source: str


def choose_threshold(
    given: float | None,
    profile: Profile | None,
    config: CheckpointConfig,
    references: References | None = None,
) -> AppliedThreshold:
    """The given threshold, else the profile's, that of the references, the checkpoint's, or 0.5.

    Args:
        given: threshold in [0, 1] from the user, if any.
        profile: profile of the product, if any.
        config: configuration of the checkpoint.
        references: good parts that images are compared with, if any.

    Raises:
        UsageError: if the given one is outside [0, 1], the range of scores.
    """
    if given is not None:
        if not 0 <= given <= 1:
            raise UsageError(f"`threshold` must be between 0 and 1, not {given:g}.")
        return AppliedThreshold(given, "given")
    if profile is not None:
        return AppliedThreshold(profile.threshold, profile.source)
    if references is not None:
        return _reference_threshold(references)
    if config.threshold is not None:
        return AppliedThreshold(config.threshold.value, f"checkpoint: {config.threshold.how}")
    return AppliedThreshold(FALLBACK, "not calibrated: the checkpoint has none, 0.5 is a guess")


def _reference_threshold(references: References) -> AppliedThreshold:
    """The conformal threshold of the references' scores, each against the others."""
    scores = references.scores
    if not scores:
        return AppliedThreshold(
            SINGLE_REFERENCE, f"not calibrated: one reference, {SINGLE_REFERENCE:g} is a guess"
        )
    rate = attainable_rate(len(scores), FALSE_ALARMS)
    source = f"{100 * rate:.3g}% false alarms on {len(scores)} references, each left out in turn"
    return AppliedThreshold(conformal_threshold(scores, rate), source)
