"""`moeclip benchmark`: evaluate models on datasets, beside the published table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL
from moeclip_cli.cli import console, inputs, options
from moeclip_cli.cli.datasets import DataRoot
from moeclip_cli.cli.processes import ran_in_several
from moeclip_cli.cli.tables import one_line
from moeclip_cli.errors import DatasetError, ModelError, ProcessLostError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from moeclip_cli.evaluation.lines import Line
    from moeclip_cli.evaluation.results import CategoryResult
    from moeclip_cli.evaluation.self_check import Comparison
    from moeclip_cli.parallel.world import World
    from moeclip_cli.reports.benchmark_report import BenchmarkReport
    from moeclip_cli.runs.benchmark_job import BenchmarkJob
    from moeclip_cli.runs.stream import Pace

SOME_UNREADABLE = 3
DEFAULT_OUT = Path("moeclip-benchmark")
_DATA = "Data"
_MODEL = "Model"
_EVALUATION = "Evaluation"


class ProtocolName(str, Enum):
    """How images are scored for the evaluation."""

    paper = "paper"
    deployed = "deployed"
    both = "both"


def benchmark(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Datasets, such as mvtec; 'moeclip datasets' lists them.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Every one of the 14 datasets that is there.", rich_help_panel=_DATA
        ),
    ] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            # MOECLIP_DATA is the data root.
            envvar="MOECLIP_OWN_DATA",
            help="Own data: folders named good and bad (and masks), MVTec's layout, or a manifest. "
            "May be given several times.",
            rich_help_panel=_DATA,
            show_default=False,
        ),
    ] = None,
    data_root: DataRoot = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            "-p",
            help="What is on the images of own data, if not what its categories are called.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    domain: Annotated[
        options.Domain | None,
        typer.Option(
            "--domain", help="Of own data; industrial if not said.", rich_help_panel=_DATA
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only N images of each category, of both labels.", rich_help_panel=_DATA
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Fail if a dataset has other numbers of images than published, or is broken.",
            rich_help_panel=_DATA,
        ),
    ] = False,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="A built-in model, a checkpoint file, or hf://owner/repo[/file][@revision]. "
            "Several are shown side by side.",
            rich_help_panel=_MODEL,
            show_default=DEFAULT_MODEL,
        ),
    ] = None,
    backbone_weights: options.BackboneWeights = None,
    image_size: options.ImageSize = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            help="paper: as published, image scores normalised over each category. deployed: the "
            "scores of 'moeclip score'. both: what a user loses.",
            show_default="paper for the 14 datasets, deployed for own data",
            rich_help_panel=_EVALUATION,
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Show the six other published methods too.",
            rich_help_panel=_EVALUATION,
        ),
    ] = False,
    mask_cut: Annotated[
        int,
        typer.Option(
            min=0,
            max=254,
            help="A mask's pixel is anomalous above this; 0 as published, 128 leaves the noise of "
            "JPEG masks (Endo) out.",
            rich_help_panel=_EVALUATION,
        ),
    ] = 0,
    self_check: Annotated[
        bool,
        typer.Option(
            "--self-check",
            help="Instead: does this installation give the recorded numbers on generated images?",
            rich_help_panel=_EVALUATION,
        ),
    ] = False,
    out: options.Out = DEFAULT_OUT,
    overwrite: options.Overwrite = False,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.auto,
    batch_size: options.BatchSize = None,
    processes: options.Processes = 1,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
    config: options.Config = None,
    debug: options.Debug = False,
) -> None:
    """Evaluate models on datasets: metrics of images and pixels, beside the published table.

    Writes results.json, results.csv, results.md and report.html. A killed run goes on where it was
    if the same command is given again. Several processes (--processes, or on several machines
    torchrun or accelerate launch -m moeclip_cli benchmark ...) share every category and give the
    same numbers.

    Exit codes: 0 done, 2 wrong use, 3 some images or masks could not be read, 4 no such dataset or
    model (or, with --self-check, numbers that differ), 69 one of several processes was killed, 130
    interrupted.

    Example: moeclip benchmark --all --data-root ./data
    """
    models = list(dict.fromkeys(model or [DEFAULT_MODEL]))
    loading: dict[str, Any] = {
        "backbone_weights": backbone_weights,
        "image_size": image_size,
        "device": device,
        "precision": precision.value,
    }
    if self_check:
        if names or everything or data or len(models) > 1 or processes > 1:
            raise UsageError(
                "--self-check takes no datasets, one model and one process; leave the others out."
            )
        _self_check(models[0], loading, quiet)
        return
    if not (names or everything or data):
        raise UsageError(
            "Name datasets, such as mvtec, or give --all for every one that is there, or --data "
            "for a folder of your own."
        )
    if prompt is not None and not prompt.strip():
        raise UsageError('The prompt is empty; name the object, e.g. --prompt "metal bracket".')

    from moeclip_cli.evaluation.plan import select_datasets
    from moeclip_cli.parallel.world import is_main_process, meet, process_device
    from moeclip_cli.runs.benchmark_job import BenchmarkJob, Choices
    from moeclip_cli.runs.benchmark_run import load_models

    chosen = process_device(device)
    if ran_in_several(processes, chosen):
        return
    quiet = quiet or not is_main_process()
    with meet() as world:
        selection = select_datasets(
            names or [],
            data or [],
            data_root,
            everything=everything,
            prompt=prompt,
            domain=None if domain is None else domain.value,
        )
        if strict:
            selection.require_as_published()
        if not quiet:
            for remark in selection.remarks(limit):
                console.warn(remark)
            console.note(f"Loading {', '.join(models)}.")
        given = {key: value for key, value in loading.items() if value is not None}
        loaded = load_models(models, **given | {"device": str(chosen)})
        choices = Choices(protocol and protocol.value, limit, mask_cut, compare)
        job = BenchmarkJob(loaded, selection, choices)
        pace = inputs.pace(loaded[0].inspectors["industrial"], batch_size, workers)
        if world.rank > 0:
            job.assist(pace, world)
            return
        report = _run(job, pace, world, out, overwrite=overwrite, quiet=quiet)
    if not quiet:
        _print_tables(report.lines)
        console.note(f"Results are in {out}; {out / 'report.html'} shows curves and mistakes.")
    if selection.broken:
        raise DatasetError(
            f"The rest is done, but {len(selection.broken)} of the datasets could not be opened: "
            f"{selection.broken[0]}"
        )
    if report.failed:
        raise typer.Exit(SOME_UNREADABLE)


def _run(
    job: BenchmarkJob, pace: Pace, world: World, out: Path, *, overwrite: bool, quiet: bool
) -> BenchmarkReport:
    """Claim the folder and evaluate, telling about it."""
    from moeclip_cli.runs.benchmark_run import claim_folder
    from moeclip_cli.runs.card import environment

    inspector = job.models[0].inspectors["industrial"]
    command = shlex.join(["moeclip", *sys.argv[1:]])
    around = environment(inspector.device, command) | {"processes": world.size}
    folder, around = claim_folder(out, job.settings, around, overwrite=overwrite)
    with console.meter(job.images, quiet=quiet, what="Benchmark") as meter:

        def advance(count: int) -> None:
            for _ in range(count):
                meter.advance()

        def observe(result: CategoryResult) -> None:
            if not quiet:
                _tell(result)

        try:
            return job.run(folder, around, pace, advance=advance, observe=observe, world=world)
        except (KeyboardInterrupt, ProcessLostError):
            console.note(
                f"Finished categories are kept in {out}; the same command goes on from there."
            )
            raise


def _tell(result: CategoryResult) -> None:
    """A line about a category that is finished."""
    from moeclip_cli.evaluation.results import METRICS
    from moeclip_cli.reports.benchmark_report import number

    for error in result.errors:
        console.warn(error)
    shown = ("image_auroc", "pixel_auroc", "pixel_pro")
    for protocol, evaluation in result.evaluations.items():
        values = ", ".join(f"{METRICS[n]} {number(evaluation.metrics[n])}" for n in shown)
        console.note(f"{result.title}, {result.category}, {result.model}, {protocol}: {values}")


def _print_tables(lines: Sequence[Line]) -> None:
    """A table for each dataset, and one of all of them."""
    for title in dict.fromkeys(line.dataset for line in lines):
        chosen = [line for line in lines if line.dataset == title]
        console.print_table(_table(title, chosen))
    console.stdout().print("In percent; - is not defined.", style="dim")


def _table(title: str, lines: Sequence[Line]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from moeclip_cli.evaluation.results import METRICS
    from moeclip_cli.reports.benchmark_report import number

    name = Text(one_line(title))
    table = Table(title=name, box=None, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("category", "model", "protocol"):
        table.add_column(heading, overflow="fold")
    for heading in METRICS.values():
        table.add_column(heading, justify="right")
    for line in lines:
        places = [Text(one_line(cell)) for cell in (line.category, line.model, line.protocol)]
        values = [number(line.values[name], signed=line.kind == "difference") for name in METRICS]
        table.add_row(*places, *values, style="bold" if line.kind == "mean" else "")
    return table


def _self_check(model: str, loading: dict[str, Any], quiet: bool) -> None:
    """Compare with recorded numbers.

    Raises:
        ModelError: if they differ, or nothing is recorded.
    """
    from moeclip_cli.evaluation.self_check import PAIRS, self_check

    inspector = inputs.load_inspector(quiet, model=model, **loading)
    with console.meter(2 * PAIRS, quiet=quiet, what="Self-check") as meter:
        comparison = self_check(inspector, meter.advance)
    if not quiet:
        _print_comparison(comparison)
    tolerance = comparison.tolerance
    found = (
        f"on {inspector.where}, a score is off by up to {comparison.score_error:.6f} (allowed: "
        f"{tolerance.score}), a metric by up to {comparison.metric_error:.3f} points (allowed: "
        f"{tolerance.metric})"
    )
    if comparison.passed:
        if not quiet:
            console.stdout().print(f"Self-check passed: {found}.", soft_wrap=True)
        return
    cause = (
        ""
        if comparison.same_images
        else ", and the generated images are not the recorded ones, perhaps because of another "
        "version of numpy or opencv"
    )
    raise ModelError(
        f"Self-check failed: {found}{cause}; try --device cpu --precision fp32, and install "
        "moeclip again."
    )


def _print_comparison(comparison: Comparison) -> None:
    from rich.table import Table

    from moeclip_cli.evaluation.results import METRICS

    table = Table(box=None, pad_edge=False)
    for heading, justify in (("metric", "left"), ("recorded", "right"), ("here", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for protocol, values in comparison.recorded.metrics.items():
        for name, title in METRICS.items():
            recorded, here = values[name], comparison.measured.metrics[protocol][name]
            cells = ["-" if value is None else f"{value:.2f}" for value in (recorded, here)]
            table.add_row(f"{title}, {protocol}", *cells)
    console.print_table(table)
