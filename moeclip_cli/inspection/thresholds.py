"""The choice of the threshold that turns a score into a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from moeclip_cli.arguments import require_threshold, require_unsure
from moeclip_cli.checkpoints.configuration import CheckpointConfig
from moeclip_cli.choices import FALSE_ALARMS
from moeclip_cli.inspection.conformal import attainable_rate, conformal_threshold, in_words
from moeclip_cli.inspection.outliers import outlier_limit
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.verdicts import Threshold

if TYPE_CHECKING:
    from moeclip_cli.inspection.references import References

# Used where none was measured: scores of an uncalibrated checkpoint have no natural cut.
FALLBACK = 0.5

# Distances of good parts to a single other one vary with the product; most are below this.
SINGLE_REFERENCE = 0.6

_GIVEN = "given"
_OF_WHOLE_IMAGES = "; found on whole images, not calibrated for tiles"

# The outlier limit is so many robust deviations above the median score of a folder,
_OUTLIER = 3.0
# but at least this far: scores of nearly equal images differ by less.
_LEAST_MARGIN = 0.02


@dataclass(frozen=True)
class AppliedThreshold(Threshold):
    """A threshold in use.

    Attributes:
        source: origin of the threshold, in a few words for tables and reports.
        of_whole_images: whether it was found on whole images, but is applied to tiles.
        unsure_source: origin of the lower threshold; "" without one.
    """

    source: str
    of_whole_images: bool = False
    unsure_source: str = field(default="", kw_only=True)

    def with_unsure(self, unsure: float | None) -> AppliedThreshold:
        """The threshold with a band that the user gave; itself for None.

        Raises:
            UsageError: if the band is not below the threshold.
        """
        if unsure is None:
            return self
        require_unsure(unsure, self.value)
        return replace(self, unsure=unsure, unsure_source=_GIVEN)


def choose_threshold(
    given: float | None,
    profile: Profile | None,
    config: CheckpointConfig,
    references: References | None = None,
    *,
    tiled: bool = False,
    unsure: float | None = None,
) -> AppliedThreshold:
    """The given threshold, else the profile's, that of the references, the checkpoint's, or 0.5.

    The profile's band comes with its threshold.

    Args:
        given: threshold in [0, 1] from the user, if any.
        profile: profile of the product, if any.
        config: configuration of the checkpoint.
        references: good parts that images are compared with, if any.
        tiled: whether images are scored in tiles. The checkpoint's threshold stays as it is then,
            as its scores in tiles are unknown, but its source says so.
        unsure: lower threshold from the user, if any; replaces the profile's.

    Raises:
        UsageError: if a given one is outside [0, 1], the range of scores, or they are in the wrong
            order.
    """
    return _chosen(given, profile, config, references, tiled=tiled).with_unsure(unsure)


def _chosen(
    given: float | None,
    profile: Profile | None,
    config: CheckpointConfig,
    references: References | None,
    *,
    tiled: bool,
) -> AppliedThreshold:
    if given is not None:
        return given_threshold(given)
    if profile is not None:
        return threshold_of_profile(profile)
    if references is not None:
        return _reference_threshold(references)
    if config.threshold is not None:
        source = f"checkpoint: {config.threshold.how}"
        return threshold_of_whole_images(config.threshold.value, source, tiled=tiled)
    return AppliedThreshold(FALLBACK, "not calibrated: the checkpoint has none, 0.5 is a guess")


def threshold_of_profile(profile: Profile) -> AppliedThreshold:
    """The threshold of a profile, with its band if it has one."""
    return AppliedThreshold(
        profile.threshold,
        profile.source,
        unsure=profile.unsure_threshold,
        unsure_source=profile.unsure_source,
    )


def threshold_of_whole_images(value: float, source: str, *, tiled: bool) -> AppliedThreshold:
    """A threshold that was found on whole images.

    Args:
        value: the threshold.
        source: its origin.
        tiled: whether it is applied to tiles, which its source then says.
    """
    return AppliedThreshold(value, source + _OF_WHOLE_IMAGES * tiled, tiled)


def given_threshold(value: float) -> AppliedThreshold:
    """The threshold that the user gave.

    Raises:
        UsageError: if it is outside [0, 1], the range of scores.
    """
    return AppliedThreshold(require_threshold(value), _GIVEN)


def mutual_threshold(scores: Sequence[float]) -> AppliedThreshold:
    """The score from which an image stands out of a set in which most images are normal.

    It is three robust standard deviations (1.4826 times the median absolute deviation) above the
    median, and at least 0.02 above it. Nothing is promised about the rate of false alarms.

    Args:
        scores: of all images; at least one.
    """
    value = min(1.0, outlier_limit(scores, _OUTLIER, _LEAST_MARGIN))
    return AppliedThreshold(value, f"mutual: outlier limit of these {len(scores)} images")


def _reference_threshold(references: References) -> AppliedThreshold:
    """The conformal threshold of the references' scores, each against the others."""
    scores = references.scores
    if not scores:
        return AppliedThreshold(
            SINGLE_REFERENCE, f"not calibrated: one reference, {SINGLE_REFERENCE:g} is a guess"
        )
    rate = attainable_rate(len(scores), FALSE_ALARMS)
    source = in_words(rate, len(scores), left_out=True)
    return AppliedThreshold(conformal_threshold(scores, rate), source)
