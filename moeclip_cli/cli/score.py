"""`moeclip score`: score images into a table, with optional heatmaps and a report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from moeclip_cli.choices import TableFormat
from moeclip_cli.cli import console, options
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.processes import command_line
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.tables import one_line
from moeclip_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.result import Result, Row
    from moeclip_cli.runs.summary import Summary


@dataclass(frozen=True)
class ScoreOutput(options.PictureOutput):
    """Outputs of `moeclip score`.

    Attributes:
        heatmaps: write an overlay for each image.
        save_maps: write each raw anomaly map to maps/NAME.npy.
        report: write report.html.
        table_format: file format of the results table.
        as_json: print one JSON object per image instead of tables.
        resume: keep the rows of an earlier run and score the missing images.
        fail_on_anomaly: exit with code 1 if an image is anomalous.
    """

    heatmaps: Annotated[bool, typer.Option("--heatmaps", "-H")] = False
    save_maps: bool = False
    report: bool = False
    table_format: Annotated[TableFormat, typer.Option("--format", "-f")] = "csv"
    as_json: Annotated[bool, typer.Option("--json")] = False
    resume: bool = False
    fail_on_anomaly: bool = False


@grouped
def score(
    images: options.ImageOptions,
    product: options.ProductOptions,
    model: options.ModelOptions,
    output: ScoreOutput,
    run: options.RunOptions,
    general: options.GeneralOptions,
) -> None:
    """Score images: a table on the terminal, results.csv, and optionally overlays and a report.

    Exit codes: 0 done, 1 anomalies found (with --fail-on-anomaly), 2 usage error, 3 some images
    could not be read, 4 model not loaded, 130 interrupted.

    Example: moeclip score ./parts/ --prompt "metal bracket" --heatmaps
    """
    found = images.find(output.out, quiet=general.quiet)
    shown = product.read()

    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.run_card import describe_environment
    from moeclip_cli.runs.score_run import SCORE, Outputs, report_facts, run_score, score_settings

    inspector = model.load_inspector(run, quiet=general.quiet, images=images, product=shown)
    facts = report_facts(inspector, shown.prompt, mixed=shown.rules is not None)
    outputs = Outputs(
        table_format=output.table_format,
        heatmaps=output.picture_format if output.heatmaps else None,
        save_maps=output.save_maps,
        report=facts if output.report else None,
    )
    folder = RunFolder.claim(
        output.out,
        SCORE,
        score_settings(inspector, outputs, prompt=shown.prompt, prompt_rules=shown.rules_text),
        describe_environment(inspector.device, command_line()),
        overwrite=output.overwrite,
        resume=output.resume,
    )
    kept = (
        f"The finished rows are kept in {output.out}; the same command with --resume continues "
        "from there."
    )
    with (
        console.note_if(KeyboardInterrupt, kept),
        meter(len(found), quiet=general.quiet) as advance,
    ):

        def observe(result: Result) -> None:
            advance()
            if output.as_json:
                print(json.dumps(result.to_dict()), flush=True)
            if result.error is not None and not general.quiet:
                console.warn(f"{result.path}: {result.error}")
            if images.verbose:
                for remark in result.notes:
                    console.note(f"{result.path}: {remark}")

        summary = run_score(
            inspector,
            found,
            shown.prompt_for,
            folder,
            outputs,
            run.pace(inspector.device),
            observe,
            remark=(lambda sentence: None) if general.quiet else console.note,
        )

    if not general.quiet:
        _print_summary(inspector, summary, tables=not output.as_json)
        if summary.drifted:
            console.warn(
                f"{summary.high} of {summary.normal} normal images score higher than 80% of the "
                "good parts did. Check camera, light and parts, then calibrate again."
            )
        console.note(f"Results are in {output.out}.")
    if output.fail_on_anomaly and summary.anomalous:
        raise typer.Exit(ExitCode.ANOMALIES_FOUND)
    if summary.failed:
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _print_summary(inspector: Inspector, summary: Summary, *, tables: bool) -> None:
    """Print the most anomalous images and the counts as results, the pace as a note."""
    from moeclip_cli.parallel.device import describe_device

    if tables:
        if summary.most_anomalous:
            _print_most_anomalous(summary.most_anomalous)
        threshold = inspector.threshold
        console.stdout().print(
            f"{summary.images} images: {summary.anomalous} anomalous, {summary.normal} normal, "
            f"{summary.failed} unreadable. Threshold {threshold.value:.3f} ({threshold.source}).",
            soft_wrap=True,
        )
    console.note(
        f"{inspector.model.name} on {describe_device(inspector.device)}: "
        f"{summary.scored_now} images in {console.duration(summary.seconds)}, "
        f"{summary.images_per_second:.1f} images/s."
    )


def _print_most_anomalous(rows: list[Row]) -> None:
    table = console.plain_table("Most anomalous")
    table.add_column("score", justify="right")
    table.add_column("verdict")
    table.add_column("area", justify="right")
    table.add_column("x0 y0 x1 y1")
    table.add_column("image", overflow="fold")
    for row in rows:
        box = "" if row.x0 is None else f"{row.x0} {row.y0} {row.x1} {row.y1}"
        cells = (f"{row.score:.3f}", str(row.verdict), f"{row.area_fraction:.1%}", box)
        path = one_line(row.path)
        style = "" if row.verdict == "normal" else "bold"
        table.add_row(*(Text(cell) for cell in (*cells, path)), style=style)
    console.print_table(table)
