"""Which threshold turns a score into a verdict, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.profile import Profile

# What remains where nobody measured one: scores of an uncalibrated checkpoint have no natural cut.
FALLBACK = 0.5


@dataclass(frozen=True)
class AppliedThreshold:
    """A threshold in use.

    Attributes:
        value: an image is anomalous from this score on.
        source: where it came from, in a few words for tables and reports.
    """

    value: float
    source: str


def choose_threshold(
    given: float | None, profile: Profile | None, config: CheckpointConfig
) -> AppliedThreshold:
    """The threshold that the user gave, else the profile's, the checkpoint's own, or 0.5.

    Raises:
        UsageError: if the given one is outside [0, 1], where no score can lie.
    """
    if given is not None:
        if not 0 <= given <= 1:
            raise UsageError(f"The threshold must lie between 0 and 1, not at {given:g}.")
        return AppliedThreshold(given, "given")
    if profile is not None:
        return AppliedThreshold(profile.threshold, profile.source)
    if config.threshold is not None:
        return AppliedThreshold(config.threshold.value, f"checkpoint: {config.threshold.how}")
    return AppliedThreshold(FALLBACK, "not calibrated: the checkpoint has none, 0.5 is a guess")
