"""`moeclip score`: score images into a table, with optional heatmaps and a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.cli import console, options
from moeclip_cli.cli.cluster import ActorModel, ClusterOptions
from moeclip_cli.cli.exported import check_exported, load_scorer
from moeclip_cli.cli.framing import FramingOptions, warn_about_threshold
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.heatmap_choice import ANOMALOUS, Heatmaps
from moeclip_cli.cli.image_options import FoundImages, ImageOptions
from moeclip_cli.cli.live import LiveImages, open_stream, until_interrupted
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.mutual import MutualOptions, compare
from moeclip_cli.cli.processes import command_line
from moeclip_cli.cli.product_options import Product, ProductOptions
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.region_options import RegionOptions
from moeclip_cli.cli.report_options import ReportOptions
from moeclip_cli.cli.score_table import counted_verdicts, print_highest, threshold_sentence
from moeclip_cli.cli.table_options import TableOptions
from moeclip_cli.cli.work import Work
from moeclip_cli.errors import ProcessLostError, UsageError
from moeclip_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from moeclip_cli.choices import TableFormat
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.mutual import MutualInspector
    from moeclip_cli.inspection.result import Result
    from moeclip_cli.inspection.scorer import Scorer, ScoringFacts
    from moeclip_cli.reports.pages.report_text import ReportText
    from moeclip_cli.reports.pages.score_content import RunFacts
    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.input_log import Describe
    from moeclip_cli.runs.ray_scorer import RayScorer
    from moeclip_cli.runs.region_run import RegionOutput
    from moeclip_cli.runs.score_run import Outputs
    from moeclip_cli.runs.stream import Pace, RemoteScorer
    from moeclip_cli.runs.summary import Summary


@dataclass(frozen=True)
class ScoreOutput(ReportOptions, options.PictureOutput):
    """Outputs of `moeclip score`.

    Attributes:
        heatmaps: write an overlay for each image, or for each anomalous and unsure one.
        save_maps: write each raw anomaly map to maps/NAME.npy.
        keep_maps: write each anomaly map with 8 bits a pixel to compact-maps/NAME.png, about 20 KB,
            for `moeclip recut`.
        report: write report.html.
        found: files about regions.
        table: the results table.
        title: title of the report. Default: the name of the object.
        field: fact to show below the title of the report, such as operator=Kim. Can be repeated.
        language: language of the report, en or de. Default: en.
        as_json: print one JSON object per image instead of tables.
        resume: keep the rows of an earlier run and score the missing images.
        fail_on_anomaly: exit with code 1 if an image is anomalous, else with code 6 if one is
            unsure.
    """

    heatmaps: Heatmaps = None
    save_maps: bool = False
    keep_maps: bool = False
    report: bool = False
    found: RegionOptions = field(default_factory=RegionOptions)
    table: TableOptions = field(default_factory=TableOptions)
    as_json: Annotated[bool, typer.Option("--json")] = False
    resume: bool = False
    fail_on_anomaly: bool = False

    @property
    def shared(self) -> Path | None:
        """The folder that every process of a cluster must see: where images get files."""
        written = self.heatmaps or self.save_maps or self.keep_maps or self.found.regions
        return self.out if written else None


@grouped
def score(
    images: ImageOptions,
    framing: FramingOptions,
    product: ProductOptions,
    model: ModelOptions,
    mutual: MutualOptions,
    output: ScoreOutput,
    run: ClusterOptions,
    general: options.GeneralOptions,
) -> None:
    """Score images: a table on the terminal, results.csv, and optionally overlays and a report.

    Exit codes: 0 done, 1 anomalies found (with --fail-on-anomaly), 2 usage error, 3 some images
    could not be read, 4 model not loaded, 6 no anomalies, but unsure images (with
    --fail-on-anomaly), 69 actors of --ray were lost again and again, 130 interrupted.

    Example: moeclip score ./parts/ --prompt "metal bracket" --heatmaps
    """
    mutual.check(model, product)
    frames = framing.read(mutual=mutual.mutual)
    table_format, regions = output.table.read(), output.found.read(framing.millimetres)
    live = open_stream(images, resume=output.resume, mutual=mutual.mutual)
    found = live or images.find(output.out, quiet=general.quiet)
    if mutual.mutual and found.total == 1:
        raise UsageError("There is one image only; `mutual` compares at least two.")
    shown, text = product.read(), output.text()
    model.check(run, product.threshold, product.unsure)
    check_exported(model, run, frames)
    run.check_cluster(mutual=mutual.mutual, live=live is not None)

    from moeclip_cli.runs.folder import require_usable
    from moeclip_cli.runs.kinds import SCORE
    from moeclip_cli.runs.stream import Pace
    from moeclip_cli.runs.summary import Summary

    require_usable(output.out, SCORE, overwrite=output.overwrite, resume=output.resume)

    def observe(result: Result) -> None:
        if output.as_json:
            print(json.dumps(result.to_dict()), flush=True)
        if result.error is not None and not general.quiet:
            console.warn(f"{result.path}: {result.error}")
        if images.verbose:
            for remark in result.notes:
                console.note(f"{result.path}: {remark}")

    kept = (
        f"The finished rows are kept in {output.out}; the same command with --resume continues "
        "from there."
    )
    with run.joined(model, quiet=general.quiet) as share:
        inspector: Inspector | MutualInspector | OnnxInspector
        source: Inspector | MutualInspector | OnnxInspector | RayScorer
        if mutual.mutual:
            source = inspector = mutual.load(model, run, images, shown, quiet=general.quiet)
        else:
            here = run.here(share)
            inspector, shown = load_scorer(model, here, images, shown, frames, quiet=general.quiet)
            warn_about_threshold(inspector, quiet=general.quiet)
            actors = ActorModel(model, run, images, shown, frames)
            source = actors.source(
                inspector, share, output.shared, keep_map=output.report, quiet=general.quiet
            )
        folder, outputs = _claim(
            inspector, source.device_name, output, table_format, shown, text, regions
        )
        with folder, console.note_if((KeyboardInterrupt, ProcessLostError), kept):
            pace = run.pace_with(inspector.default_batch_size, share)
            if live is not None:
                pace = Pace(1, 0)  # so that the result of a frame does not wait for others
            job = _Job(
                found,
                shown,
                text,
                folder,
                pace,
                observe,
                Summary(),
                inspector.settings,
                general.quiet,
            )
            scorer, describe = job.start(source)
            if output.report:
                outputs = replace(outputs, report=job.facts(scorer))
            with until_interrupted(live):
                summary = job.run(scorer, outputs, describe)

    if live is not None and not general.quiet:
        live.remark()
    if not general.quiet:
        _print_summary(scorer, summary, tables=not output.as_json)
        if summary.drifted:
            below = "images below the threshold" if summary.unsure else "normal images"
            console.warn(
                f"{summary.high} of {summary.below} {below} score higher than 80% of the good "
                "parts did. Check camera, light and parts, then calibrate again."
            )
        console.note(f"Results are in {output.out}.")
    elif summary.failed:
        unread = console.counted(summary.failed, "image")
        console.warn(f"{unread} could not be read; {output.out} says which and why.")
    if output.fail_on_anomaly and summary.anomalous:
        raise typer.Exit(ExitCode.ANOMALIES_FOUND)
    if output.fail_on_anomaly and summary.unsure:
        raise typer.Exit(ExitCode.UNSURE_IMAGES)
    if summary.failed or (live is not None and live.lost):
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _claim(
    inspector: Inspector | MutualInspector | OnnxInspector,
    device: str,
    output: ScoreOutput,
    table_format: TableFormat,
    product: Product,
    text: ReportText,
    regions: RegionOutput | None,
) -> tuple[RunFolder, Outputs]:
    """The output folder, claimed for these settings, and the files to write there."""
    from moeclip_cli.runs.environment import describe_environment
    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.kinds import SCORE
    from moeclip_cli.runs.score_run import Outputs, score_settings

    outputs = Outputs(
        table_format=table_format,
        heatmaps=output.picture_format if output.heatmaps else None,
        anomalous_only=output.heatmaps == ANOMALOUS,
        save_maps=output.save_maps,
        keep_maps=output.keep_maps,
        regions=regions,
    )
    environment = describe_environment(device, command_line(), inspector.versions)
    environment |= inspector.facts
    if output.report:
        environment["report"] = text.to_dict()
    folder = RunFolder.claim(
        output.out,
        SCORE,
        score_settings(inspector, outputs, prompt=product.prompt, prompt_rules=product.rules_text),
        environment,
        overwrite=output.overwrite,
        resume=output.resume,
    )
    return folder, outputs


@dataclass(frozen=True)
class _Job:
    """The images of a run and where their results go."""

    found: FoundImages | LiveImages
    product: Product
    text: ReportText
    folder: RunFolder
    pace: Pace
    observe: Callable[[Result], None]
    summary: Summary
    scored_with: Mapping[str, Any]
    quiet: bool

    def start(
        self, source: Inspector | MutualInspector | OnnxInspector | RayScorer
    ) -> tuple[Scorer | RemoteScorer, Describe]:
        """What gives the results, and the records by which a resumed run knows which rows hold."""
        from moeclip_cli.inspection.scorer import Scorer
        from moeclip_cli.runs.input_log import describe_batch
        from moeclip_cli.runs.stream import RemoteScorer

        if isinstance(source, RemoteScorer):
            return source, describe_batch
        if isinstance(source, Scorer):
            return source, describe_batch
        compared = compare(source, self.found, self.folder, self.pace, quiet=self.quiet)
        return compared, compared.describe

    def facts(self, scorer: ScoringFacts) -> RunFacts:
        """The head of the report."""
        from moeclip_cli.runs.score_run import report_facts

        mixed = self.product.rules is not None
        return report_facts(scorer, self.product.prompt, self.text, mixed=mixed)

    def run(self, scorer: Scorer | RemoteScorer, outputs: Outputs, describe: Describe) -> Summary:
        """Score the images, with progress on standard error."""
        from moeclip_cli.runs.score_run import run_score

        # The frames of a stream come once.
        files = self.found if isinstance(self.found, FoundImages) else ()
        work = Work.of_run(files, self.scored_with)
        with meter(self.found.total, quiet=self.quiet, work=work.total) as advance:

            def observe(result: Result) -> None:
                advance(work.of(result.path))
                self.observe(result)

            return run_score(
                scorer,
                self.found,
                self.product.prompt_for,
                self.folder,
                outputs,
                self.pace,
                observe,
                remark=(lambda sentence: None) if self.quiet else console.note,
                describe=describe,
                summary=self.summary,
                kept_row=lambda row: advance(work.of(row.path), earlier=True),
            )


def _print_summary(scorer: ScoringFacts, summary: Summary, *, tables: bool) -> None:
    """Print the most anomalous images and the counts as results, the pace as a note."""
    if tables:
        if summary.most_anomalous:
            print_highest(summary, len(scorer.good_scores))
        threshold = scorer.threshold
        counts = counted_verdicts(summary, "image", band=threshold.unsure is not None)
        console.stdout().print(f"{counts}. {threshold_sentence(threshold)}", soft_wrap=True)
    console.note(
        f"{scorer.model.name} on {scorer.device_name}: "
        f"{console.counted(summary.scored_now, 'image')} in {console.duration(summary.seconds)}, "
        f"{console.rate(summary.images_per_second)} images/s."
    )
