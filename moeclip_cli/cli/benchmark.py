"""`moeclip benchmark`: evaluate models on datasets, next to the published results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer
from rich.text import Text

from moeclip_cli.checkpoints.builtin import DEFAULT_MODEL
from moeclip_cli.cli import console, options
from moeclip_cli.cli.groups import grouped
from moeclip_cli.cli.processes import command_line, ran_in_several
from moeclip_cli.cli.progress import meter
from moeclip_cli.cli.tables import one_line
from moeclip_cli.errors import DatasetError, ModelError, ProcessLostError, UsageError
from moeclip_cli.evaluation.results import METRICS, ProtocolChoice
from moeclip_cli.exit_codes import ExitCode
from moeclip_cli.model.config import Domain

if TYPE_CHECKING:
    from rich.table import Table

    from moeclip_cli.evaluation.lines import Line
    from moeclip_cli.evaluation.plan import Selection
    from moeclip_cli.evaluation.results import CategoryResult
    from moeclip_cli.evaluation.self_check import SelfCheckResult
    from moeclip_cli.parallel.world import World
    from moeclip_cli.reports.pages.benchmark_report import BenchmarkReport
    from moeclip_cli.runs.benchmark_job import BenchmarkJob
    from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class BenchmarkData:
    """Datasets of a benchmark.

    Attributes:
        names: datasets, such as mvtec; `moeclip datasets` lists them.
        everything: evaluate all of the 14 datasets that are found.
        data: own data: a folder with subfolders good and bad (and masks), a folder in MVTec's
            layout, or a manifest. Can be repeated.
        prompt: name of the object in own data. Default: names of the categories.
        domain: domain of own data. Default: industrial.
        limit: use only N images of each category, of both labels.
        strict: fail if a dataset is broken or its numbers of images differ from the published ones.
    """

    PANEL: ClassVar[str] = options.DATA

    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)] = None
    everything: Annotated[bool, typer.Option("--all")] = False
    # MOECLIP_DATA is the data root.
    data: Annotated[
        list[Path] | None, typer.Option(envvar="MOECLIP_OWN_DATA", show_default=False)
    ] = None
    data_root: options.DataRoot = None
    prompt: Annotated[str | None, typer.Option("--prompt", "-p")] = None
    domain: Domain | None = None
    limit: Annotated[int | None, typer.Option(min=1)] = None
    strict: bool = False

    def select(self) -> Selection:
        """Open the datasets.

        Raises:
            DatasetError: if one is not found or, if `strict`, differs from the published one.
            UsageError: if two datasets have the same name.
        """
        from moeclip_cli.evaluation.plan import select_datasets

        selection = select_datasets(
            self.names or [],
            self.data or [],
            self.data_root,
            everything=self.everything,
            prompt=self.prompt,
            domain=self.domain,
        )
        if self.strict:
            selection.require_as_published()
        return selection

    @property
    def is_empty(self) -> bool:
        """True if no dataset is named."""
        return not (self.names or self.everything or self.data)


@dataclass(frozen=True)
class BenchmarkModels:
    """Models of a benchmark.

    Attributes:
        model: built-in model, checkpoint file, or hf://owner/repo[/file][@revision]. Can be
            repeated to compare models.
        backbone_weights: local CLIP weights file: OpenAI .pt, or open_clip .pt or .safetensors.
        image_size: network input size in pixels. Replaces all input sizes stored in the checkpoint.
    """

    PANEL: ClassVar[str] = options.MODEL

    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", show_default=DEFAULT_MODEL)
    ] = None
    backbone_weights: Path | None = None
    image_size: int | None = None

    @property
    def names(self) -> list[str]:
        """The models, each of them once."""
        return list(dict.fromkeys(self.model or [DEFAULT_MODEL]))


@dataclass(frozen=True)
class EvaluationOptions:
    """Metrics of a benchmark.

    Attributes:
        protocol: scores to evaluate. paper: normalised over each category, as published. deployed:
            those of `moeclip score`. both: show the difference.
        compare: also show the six other published methods.
        mask_cut: mask pixels above this value are anomalous. 0 is as published; 128 ignores the
            noise of JPEG masks (Endo).
        self_check: instead of a benchmark, compare this installation with recorded numbers on
            generated images.
    """

    PANEL: ClassVar[str] = "Evaluation"

    protocol: Annotated[
        ProtocolChoice | None,
        typer.Option(show_default="paper for the 14 datasets, deployed for own data"),
    ] = None
    compare: bool = False
    mask_cut: Annotated[int, typer.Option(min=0, max=254)] = 0
    self_check: bool = False


@dataclass(frozen=True)
class BenchmarkOutput:
    """Output folder of a benchmark."""

    out: options.Out = Path("moeclip-benchmark")
    overwrite: options.Overwrite = False


@grouped
def benchmark(
    *,
    data: BenchmarkData,
    models: BenchmarkModels,
    evaluation: EvaluationOptions,
    output: BenchmarkOutput,
    run: options.RunOptions,
    processes: options.Processes = 1,
    general: options.GeneralOptions,
) -> None:
    """Evaluate models on datasets: image and pixel metrics, next to the published results.

    Writes results.json, results.csv, results.md and report.html. The same command continues an
    interrupted run. Several processes (--processes, or on several machines torchrun or accelerate
    launch -m moeclip_cli benchmark ...) share every category and give the same numbers.

    Exit codes: 0 done, 2 usage error, 3 some images or masks could not be read, 4 dataset or model
    not loaded (or, with --self-check, different numbers), 69 one of several processes was killed,
    130 interrupted.

    Example: moeclip benchmark --all --data-root ./data
    """
    if evaluation.self_check:
        if not data.is_empty or len(models.names) > 1 or processes > 1:
            raise UsageError(
                "--self-check takes one model and one process, and no datasets; omit the others."
            )
        _self_check(models, run, quiet=general.quiet)
        return
    if data.is_empty:
        raise UsageError(
            "No dataset is named; name datasets, such as mvtec, or use --all, or --data for own "
            "data."
        )
    if data.prompt is not None:
        options.require_prompt(data.prompt)

    from moeclip_cli.parallel.world import is_main_process, join_world, process_device
    from moeclip_cli.runs.benchmark_job import BenchmarkJob, Choices, Execution
    from moeclip_cli.runs.benchmark_models import load_models
    from moeclip_cli.runs.benchmark_run import assist_benchmark

    device = process_device(run.device)
    if ran_in_several(processes, device):
        return
    quiet = general.quiet or not is_main_process()
    with join_world() as world:
        selection = data.select()
        if not quiet:
            for remark in selection.remarks(data.limit):
                console.warn(remark)
            console.note(f"Loading {', '.join(models.names)}.")
        loaded = load_models(
            models.names,
            backbone_weights=models.backbone_weights,
            image_size=models.image_size,
            device=str(device),
            precision=run.precision,
        )
        choices = Choices(evaluation.protocol, data.limit, evaluation.mask_cut, evaluation.compare)
        job = BenchmarkJob(loaded, selection, choices)
        pace = run.pace(loaded[0].inspectors["industrial"])
        if world.rank > 0:
            assist_benchmark(job, Execution(pace, world))
            return
        report = _run(job, pace, world, output, quiet=quiet)
    if not quiet:
        _print_tables(report.lines)
        console.note(
            f"Results are in {output.out}; {output.out / 'report.html'} shows curves and mistakes."
        )
    if selection.broken:
        raise DatasetError(
            f"All other datasets are finished, but {len(selection.broken)} could not be opened: "
            f"{selection.broken[0]}"
        )
    if report.failed:
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _run(
    job: BenchmarkJob, pace: Pace, world: World, output: BenchmarkOutput, *, quiet: bool
) -> BenchmarkReport:
    """Claim the folder and evaluate, with progress."""
    from moeclip_cli.runs.benchmark_job import Execution
    from moeclip_cli.runs.benchmark_run import claim_folder, run_benchmark
    from moeclip_cli.runs.run_card import describe_environment

    inspector = job.models[0].inspectors["industrial"]
    environment = describe_environment(inspector.device, command_line())
    environment |= {"processes": world.size}
    folder = claim_folder(output.out, job.settings, environment, overwrite=output.overwrite)
    kept = f"Finished categories are kept in {output.out}; the same command continues from there."
    with (
        console.note_if((KeyboardInterrupt, ProcessLostError), kept),
        meter(job.images, quiet=quiet, label="Benchmark") as advance_one,
    ):

        def advance(count: int) -> None:
            for _ in range(count):
                advance_one()

        def observe(result: CategoryResult) -> None:
            if not quiet:
                _print_category(result)

        return run_benchmark(job, folder, Execution(pace, world, advance, observe))


def _print_category(result: CategoryResult) -> None:
    """Print a line about a finished category."""
    from moeclip_cli.reports.pages.benchmark_report import number

    for error in result.errors:
        console.warn(error)
    shown = ("image_auroc", "pixel_auroc", "pixel_pro")
    for protocol, evaluation in result.evaluations.items():
        values = ", ".join(f"{METRICS[n]} {number(evaluation.metrics[n])}" for n in shown)
        console.note(f"{result.title}, {result.category}, {result.model}, {protocol}: {values}")


def _print_tables(lines: Sequence[Line]) -> None:
    """Print a table for each dataset and one for all of them."""
    for title in dict.fromkeys(line.dataset for line in lines):
        console.print_table(_table(title, [line for line in lines if line.dataset == title]))
    console.stdout().print("In percent; - is not defined.", style="dim")


def _table(title: str, lines: Sequence[Line]) -> Table:
    from moeclip_cli.reports.pages.benchmark_report import number

    table = console.plain_table(title)
    for heading in ("category", "model", "protocol"):
        table.add_column(heading, overflow="fold")
    for heading in METRICS.values():
        table.add_column(heading, justify="right")
    for line in lines:
        names = [Text(one_line(cell)) for cell in (line.category, line.model, line.protocol)]
        values = [number(line.values[name], signed=line.kind == "difference") for name in METRICS]
        table.add_row(*names, *values, style="bold" if line.kind == "mean" else "")
    return table


def _self_check(models: BenchmarkModels, device: options.DeviceOptions, *, quiet: bool) -> None:
    """Compare with recorded numbers.

    Raises:
        ModelError: if they differ, or none are recorded for the model.
    """
    from moeclip_cli.evaluation.self_check import PAIRS, self_check

    model = options.ModelOptions(
        models.names[0],
        backbone_weights=models.backbone_weights,
        image_size=models.image_size,
    )
    inspector = model.load_inspector(device, quiet=quiet)
    with meter(2 * PAIRS, quiet=quiet, label="Self-check") as advance:
        comparison = self_check(inspector, advance)
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
        else ", and the generated images differ from the recorded ones, perhaps because of another "
        "version of numpy or opencv"
    )
    raise ModelError(
        f"Self-check failed: {found}{cause}; try --device cpu --precision fp32, and reinstall "
        "moeclip."
    )


def _print_comparison(comparison: SelfCheckResult) -> None:
    table = console.plain_table()
    table.add_column("metric")
    for heading in ("recorded", "here"):
        table.add_column(heading, justify="right")
    for protocol, values in comparison.recorded.metrics.items():
        for name, title in METRICS.items():
            recorded, here = values[name], comparison.measured.metrics[protocol][name]
            cells = ["-" if value is None else f"{value:.2f}" for value in (recorded, here)]
            table.add_row(f"{title}, {protocol}", *cells)
    console.print_table(table)
