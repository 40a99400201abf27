"""The threshold that `moeclip recut` gives a finished run."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.thresholds import AppliedThreshold, given_threshold
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.good_scores_file import read_good_scores


def new_threshold(
    run: FinishedRun,
    threshold: float | None = None,
    profile: Path | None = None,
    false_alarms: float | None = None,
) -> tuple[AppliedThreshold, GoodScores]:
    """The threshold, and the scores of good parts that percentiles refer to.

    Args:
        run: the run.
        threshold: from the user; it wins over a profile.
        profile: profile of the product; replaces the good scores of the run.
        false_alarms: rate for a threshold from the good scores.

    Raises:
        UsageError: if none is given, or `threshold` and `false_alarms`; if the profile cannot be
            read or was made with other settings; if there are too few good scores.
    """
    if threshold is not None and false_alarms is not None:
        raise UsageError("Use either `threshold` or `false_alarms`.")
    if threshold is None and profile is None and false_alarms is None:
        raise UsageError("Name the new threshold with `threshold`, `profile` or `false_alarms`.")
    given = None if threshold is None else given_threshold(threshold)
    read = None if profile is None else _fitting_profile(run, profile)
    good = read_good_scores(run.folder) if read is None else GoodScores.known(read, None)
    if given is not None:
        return given, good
    if false_alarms is None and read is not None:
        return AppliedThreshold(read.threshold, read.source), good
    if not good.scores:
        raise UsageError(
            f"The run in {run.folder} knows no scores of good parts; name a `profile` that does, "
            "or a `threshold`."
        )
    return good.threshold(false_alarms or 0.0), good


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
