"""The threshold that `moeclip recut` gives a finished run."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.thresholds import (
    AppliedThreshold,
    given_threshold,
    threshold_of_profile,
)
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.good_scores_file import read_good_scores


def new_threshold(
    run: FinishedRun,
    threshold: float | None = None,
    profile: Path | None = None,
    false_alarms: float | None = None,
    unsure: float | None = None,
) -> tuple[AppliedThreshold, GoodScores]:
    """The threshold, and the scores of good parts that percentiles refer to.

    Args:
        run: the run.
        threshold: from the user; it wins over a profile and its band.
        profile: profile of the product; replaces the good scores of the run.
        false_alarms: rate for a threshold from the good scores.
        unsure: lower threshold from the user; without another one, the run keeps its threshold.

    Raises:
        UsageError: if none is given, or `threshold` and `false_alarms`; if the profile cannot be
            read or was made with other settings; if there are too few good scores; if `unsure` is
            not below the threshold.
    """
    if threshold is not None and false_alarms is not None:
        raise UsageError("Use either `threshold` or `false_alarms`.")
    if threshold is None and profile is None and false_alarms is None and unsure is None:
        raise UsageError(
            "Name the new threshold with `threshold`, `profile` or `false_alarms`, or a lower one "
            "with `unsure`."
        )
    found, good = _new(run, threshold, profile, false_alarms)
    return found.with_unsure(unsure), good


def _new(
    run: FinishedRun,
    threshold: float | None,
    profile: Path | None,
    false_alarms: float | None,
) -> tuple[AppliedThreshold, GoodScores]:
    """The named threshold with the band of a profile, or that of the run, and the good scores."""
    if threshold is None and profile is None and false_alarms is None:
        return _kept_threshold(run), read_good_scores(run.folder)
    given = None if threshold is None else given_threshold(threshold)
    read = None if profile is None else _fitting_profile(run, profile)
    good = read_good_scores(run.folder) if read is None else GoodScores.known(read, None)
    if given is not None:
        return given, good
    if false_alarms is None and read is not None:
        return threshold_of_profile(read), good
    if not good.scores:
        raise UsageError(
            f"The run in {run.folder} knows no scores of good parts; name a `profile` that does, "
            "or a `threshold`."
        )
    return good.threshold(false_alarms or 0.0), good


def _kept_threshold(run: FinishedRun) -> AppliedThreshold:
    """The threshold that the run has."""
    if run.threshold is None:
        raise UsageError(
            f"The threshold of the run in {run.folder} is the outlier limit of its images; name a "
            "`threshold` with `unsure`."
        )
    return run.threshold


def _fitting_profile(run: FinishedRun, path: Path) -> Profile:
    profile = Profile.load_threshold(path)
    prompt = run.settings["prompt"]
    if run.settings["prompt_rules"] is not None:
        raise UsageError("A profile is for one product, but the prompts of this run are by rule.")
    if prompt != profile.prompt:
        raise UsageError(
            f'The profile is for the prompt "{profile.prompt}", but the run has "{prompt}"; score '
            "the images again with the profile."
        )
    profile.check(run.scoring_settings)
    return profile
