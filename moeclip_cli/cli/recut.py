"""`moeclip recut`: another threshold for a finished run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.processes import command_line
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.report_options import ReportOptions
from moeclip_cli.cli.score_table import counted_verdicts, print_highest, threshold_sentence
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.verdicts import UNSURE

if TYPE_CHECKING:
    from moeclip_cli.choices import PictureChoice
    from moeclip_cli.inspection.result import Result, Row
    from moeclip_cli.inspection.thresholds import AppliedThreshold
    from moeclip_cli.runs.finished_run import FinishedRun
    from moeclip_cli.runs.recut import Change, Recut


@dataclass(frozen=True)
class NewThreshold:
    """The new threshold.

    Attributes:
        threshold: score from which an image is anomalous.
        unsure: lower score from which an image that is not anomalous is unsure. Default: that of
            the profile or none. Without a new threshold, the run keeps its own.
        profile: profile file written by `moeclip calibrate`.
        false_alarms: fraction of good parts that may be flagged, for a threshold from the good
            scores of the profile, or of the run.
    """

    threshold: Annotated[
        float | None, typer.Option("--threshold", "-t", parser=fraction, metavar="FLOAT")
    ] = None
    unsure: options.Unsure = None
    profile: Path | None = None
    false_alarms: Annotated[
        float | None, typer.Option("--false-alarms", "-a", parser=fraction, metavar="FLOAT")
    ] = None


@dataclass(frozen=True)
class RecutOutput:
    """Outputs of `moeclip recut`.

    Attributes:
        verdicts_only: leave the columns of regions empty.
        heatmaps: draw the overlays of the new threshold.
        report: write report.html.
        dry_run: print what would change, and write nothing.
        as_json: print one JSON object per image instead of tables.
    """

    verdicts_only: Annotated[bool, typer.Option("--verdicts-only")] = False
    heatmaps: Annotated[bool | None, typer.Option(show_default="as before")] = None
    report: Annotated[bool | None, typer.Option(show_default="as before")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False
    as_json: Annotated[bool, typer.Option("--json")] = False


@grouped
def recut(
    folder: Annotated[
        Path, typer.Argument(metavar="OUT", help="Output folder of `moeclip score`.")
    ],
    new: NewThreshold,
    output: RecutOutput,
    texts: ReportOptions,
    workers: options.Workers = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Give a finished run another threshold, without loading a model.

    Rewrites verdicts, regions, report and overlays as a new run with this threshold would. Regions
    need a run with --keep-maps.

    Exit codes: 0 done, 2 usage error.

    Example: moeclip recut moeclip-out --threshold 0.6
    """  # fmt: skip
    from moeclip_cli.parallel.cores import choose_workers
    from moeclip_cli.runs.finished_run import FinishedRun
    from moeclip_cli.runs.new_threshold import new_threshold
    from moeclip_cli.runs.recut import REPORT, Change
    from moeclip_cli.runs.recut import recut as rewrite

    run = FinishedRun.open(folder)
    applied, good = new_threshold(
        run, new.threshold, new.profile, new.false_alarms, unsure=new.unsure
    )
    before: PictureChoice | None = run.settings["heatmaps"]
    wanted = output.heatmaps
    drawn = before if wanted is None else (before or "auto" if wanted else None)
    if output.verdicts_only and drawn is not None:
        raise UsageError(
            "The overlays show the earlier threshold, and without maps there are no others; use "
            "`no_heatmaps` to remove them."
        )
    change = Change(
        applied,
        good,
        heatmaps=drawn,
        anomalous_only=drawn is not None and run.files.anomalous_only,
        report=(folder / REPORT).exists() if output.report is None else output.report,
        text=texts.text() if texts.given else None,
        verdicts_only=output.verdicts_only,
    )
    with meter(run.card["summary"]["images"], quiet=quiet) as advance:

        def observe(row: Row, result: Result | None) -> None:
            advance()
            if output.as_json:
                print(json.dumps(_as_dict(row, result)), flush=True)

        found = rewrite(
            run,
            change,
            observe,
            workers=choose_workers(workers),
            command=command_line(),
            write=not output.dry_run,
        )
    if not quiet:
        _print(run, change, found, tables=not output.as_json, written=not output.dry_run)


def _as_dict(row: Row, result: Result | None) -> dict[str, object]:
    """The JSON object of an image, as `moeclip score --json` prints it."""
    from moeclip_cli.inspection.result import SCHEMA, Result

    if result is not None:
        return result.to_dict()
    if row.error is not None:
        return Result(row.path, row.prompt or "", row.model or "", error=row.error).to_dict()
    return {**asdict(row), "boxes": None, "schema": SCHEMA}


def _print(run: FinishedRun, change: Change, found: Recut, *, tables: bool, written: bool) -> None:
    summary, applied = found.summary, change.threshold
    if tables:
        if summary.most_anomalous:
            print_highest(summary, len(change.good))
        counts = counted_verdicts(summary, "image", band=applied.unsure is not None)
        console.stdout().print(
            f"{counts}. {_changed(found, applied)} {threshold_sentence(applied)}", soft_wrap=True
        )
    if found.regions_at not in (None, applied.value):
        console.note(
            f"Regions are those at {found.regions_at:.4g}: maps are kept in steps of 0.005."
        )
    where = f"{run.folder} has the new threshold" if written else f"{run.folder} is unchanged"
    console.note(f"{where}.")


def _changed(found: Recut, applied: AppliedThreshold) -> str:
    changed = sum(found.changed.values())
    if not changed:
        return "No verdict changed."
    kinds = ", ".join(
        f"{number} to {verdict}"
        for verdict, number in found.changed.items()
        if verdict != UNSURE or applied.unsure is not None
    )
    return f"{console.counted(changed, 'verdict')} changed: {kinds}."
