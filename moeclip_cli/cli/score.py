"""`moeclip score`: the main job."""

from __future__ import annotations

import json
import shlex
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL
from moeclip_cli.cli import console, inputs, options
from moeclip_cli.cli.tables import one_line
from moeclip_cli.images.prompts_file import DEFAULT_PROMPT

if TYPE_CHECKING:
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.result import Row
    from moeclip_cli.runs.summary import Summary

ANOMALIES_FOUND = 1
SOME_UNREADABLE = 3


class Format(str, Enum):
    """File format of the results table."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


def score(
    paths: options.Images,
    prompt: options.Prompt = DEFAULT_PROMPT,
    prompts: options.Prompts = None,
    model: options.Model = DEFAULT_MODEL,
    backbone_weights: options.BackboneWeights = None,
    domain: options.DomainOption = None,
    image_size: options.ImageSize = None,
    threshold: options.Threshold = None,
    profile: options.ProfileFile = None,
    recursive: options.Recursive = True,
    limit: options.Limit = None,
    max_pixels: options.MaxPixels = None,
    out: options.Out = inputs.DEFAULT_OUT,
    heatmaps: Annotated[
        bool,
        typer.Option("--heatmaps", "-H", help="Write overlays.", rich_help_panel="Output"),
    ] = False,
    picture_format: options.PictureFormat = options.Picture.png,
    save_maps: Annotated[
        bool,
        typer.Option(
            "--save-maps",
            help="Write each raw anomaly map to maps/NAME.npy.",
            rich_help_panel="Output",
        ),
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write report.html.", rich_help_panel="Output")
    ] = False,
    table_format: Annotated[
        Format,
        typer.Option("--format", "-f", help="Format of the table.", rich_help_panel="Output"),
    ] = Format.csv,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object per image instead of tables.",
            rich_help_panel="Output",
        ),
    ] = False,
    overwrite: options.Overwrite = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep the rows of an earlier run and score what is missing.",
            rich_help_panel="Output",
        ),
    ] = False,
    fail_on_anomaly: Annotated[
        bool,
        typer.Option(
            "--fail-on-anomaly",
            help="Exit with 1 if an image is anomalous.",
            rich_help_panel="Output",
        ),
    ] = False,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.auto,
    batch_size: options.BatchSize = None,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Score images: a table on the terminal, results.csv, and optionally overlays and a report.

    Exit codes: 0 done, 1 anomalies found (with --fail-on-anomaly), 2 wrong use, 3 some images could
    not be read, 4 no model, 130 interrupted.

    Example: moeclip score ./parts/ --prompt "metal bracket" --heatmaps
    """
    source, total = inputs.open_source(
        paths, recursive=recursive, out=out, limit=limit, verbose=verbose, quiet=quiet
    )
    kept = inputs.read_profile(profile)
    prompt = inputs.one_prompt(prompt, prompts, kept)
    prompt_for = inputs.prompt_rule(prompt, prompts)

    from itertools import islice

    from moeclip_cli.inspection.result import Result
    from moeclip_cli.runs.card import environment, report_facts, score_settings
    from moeclip_cli.runs.folder import RunFolder
    from moeclip_cli.runs.score_run import Outputs, run_score

    inspector = inputs.load_inspector(
        quiet,
        model=model,
        backbone_weights=backbone_weights,
        image_size=image_size,
        domain=domain and domain.value,
        threshold=threshold,
        profile=kept,
        device=device,
        precision=precision.value,
        max_pixels=max_pixels,
    )
    outputs = Outputs(
        table_format=table_format.value,
        heatmaps=picture_format.value if heatmaps else None,
        save_maps=save_maps,
        report=report_facts(inspector, prompt, mixed=prompts is not None) if report else None,
    )
    rules = prompts.read_text(encoding="utf-8") if prompts else None
    folder = RunFolder.claim(
        out,
        score_settings(inspector, outputs, prompt=prompt, prompt_rules=rules),
        environment(inspector.device, shlex.join(["moeclip", *sys.argv[1:]])),
        overwrite=overwrite,
        resume=resume,
    )
    with console.meter(total, quiet=quiet) as meter:

        def observe(result: Result) -> None:
            meter.advance()
            if as_json:
                print(json.dumps(result.to_dict(), ensure_ascii=False), flush=True)
            if result.error is not None and not quiet:
                console.warn(f"{result.path}: {result.error}")
            if verbose:
                for remark in result.notes:
                    console.note(f"{result.path}: {remark}")

        try:
            summary = run_score(
                inspector,
                islice(source, limit),
                prompt_for,
                folder,
                outputs,
                inputs.pace(inspector, batch_size, workers),
                observe,
            )
        except KeyboardInterrupt:
            console.note(
                f"The finished rows are kept in {out}; the same command with --resume "
                "goes on from there."
            )
            raise

    if not quiet:
        _print_summary(inspector, summary, tables=not as_json)
        console.note(f"Results are in {out}.")
    if fail_on_anomaly and summary.anomalous:
        raise typer.Exit(ANOMALIES_FOUND)
    if summary.failed:
        raise typer.Exit(SOME_UNREADABLE)


def _print_summary(inspector: Inspector, summary: Summary, *, tables: bool) -> None:
    """The most anomalous images and the counts, as results; how it went, as a note."""
    from moeclip_cli.inspection.device import describe_device

    threshold = inspector.threshold
    if tables:
        from rich.table import Table

        if summary.most_anomalous:
            table = Table(title="Most anomalous", box=None, title_justify="left", pad_edge=False)
            table.add_column("score", justify="right")
            table.add_column("verdict")
            table.add_column("area", justify="right")
            table.add_column("x0 y0 x1 y1")
            table.add_column("image", overflow="fold")
            for row in summary.most_anomalous:
                table.add_row(*_cells(row), style="" if row.verdict == "normal" else "bold")
            console.print_table(table)
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


def _cells(row: Row) -> tuple[Text, ...]:
    box = "" if row.x0 is None else f"{row.x0} {row.y0} {row.x1} {row.y1}"
    cells = (f"{row.score:.3f}", str(row.verdict), f"{row.area_fraction:.1%}", box)
    return tuple(Text(cell) for cell in (*cells, one_line(row.path)))
