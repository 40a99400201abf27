"""`moeclip benchmark`: evaluate models on datasets, next to the published results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moeclip_cli.arguments import require_prompt
from moeclip_cli.cli import console, options
from moeclip_cli.cli.benchmark_options import (
    BenchmarkData,
    BenchmarkModels,
    BenchmarkOutput,
    EvaluationOptions,
)
from moeclip_cli.cli.benchmark_tables import print_category, print_comparison, print_tables
from moeclip_cli.cli.cluster import ClusterOptions, remark_unless
from moeclip_cli.cli.fastest import settle
from moeclip_cli.cli.framing import FramingOptions
from moeclip_cli.cli.groups import AsOptions, grouped
from moeclip_cli.cli.model_options import ModelOptions
from moeclip_cli.cli.processes import command_line, is_one_of_several, ran_in_several
from moeclip_cli.cli.progress import meter
from moeclip_cli.errors import DatasetError, ModelError, ProcessLostError, UsageError
from moeclip_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from moeclip_cli.evaluation.results import CategoryResult
    from moeclip_cli.reports.pages.benchmark_report import BenchmarkReport
    from moeclip_cli.runs.benchmark_job import BenchmarkJob, Execution


@grouped
def benchmark(
    *,
    data: BenchmarkData,
    models: BenchmarkModels,
    evaluation: EvaluationOptions,
    output: BenchmarkOutput,
    framing: Annotated[
        FramingOptions,
        AsOptions(panel=EvaluationOptions.PANEL, without=("region", "ignore", "align")),
    ],
    run: ClusterOptions,
    processes: options.Processes = 1,
    general: options.GeneralOptions,
) -> None:
    """Evaluate models on datasets: image and pixel metrics, next to the published results.

    Writes results.json, results.csv, results.md and report.html. The same command continues an
    interrupted run. Several processes (--processes, or on several machines torchrun or accelerate
    launch -m moeclip_cli benchmark ...) share the work and give the same numbers, and so do the
    actors of a Ray cluster (--ray), each of which evaluates whole categories.

    Exit codes: 0 done, 2 usage error, 3 some images or masks could not be read, 4 dataset or model
    not loaded (or, with --self-check, different numbers), 69 one of several processes was killed,
    130 interrupted.

    Example: moeclip benchmark --all --data-root ./data
    """
    references = models.references
    models.check(run)
    run.check_cluster()
    if run.ray is not None and (processes > 1 or is_one_of_several()):
        raise UsageError("--ray starts processes itself; omit --processes and the launcher.")
    if run.precision == "auto" and (len(models.names) > 1 or processes > 1 or is_one_of_several()):
        raise UsageError(
            "`precision` auto is measured for one model in one process; choose fp32, bf16 or fp16."
        )
    frames = framing.read(mutual=references.mutual)
    if frames.tile is not None and references.shots is not None:
        raise UsageError("--shots compares whole images; omit --tile, or give --reference.")
    if evaluation.self_check:
        if (
            not data.is_empty
            or len(models.names) > 1
            or processes > 1
            or references.wanted
            or frames.tile
            or run.ray
        ):
            raise UsageError(
                "--self-check takes one model and one process, and no datasets or comparison; omit "
                "the others."
            )
        _self_check(models, run, quiet=general.quiet)
        return
    if data.is_empty:
        raise UsageError(
            "No dataset is named; name datasets, such as mvtec, or use --all, or --data for own "
            "data."
        )
    if data.prompt is not None:
        require_prompt(data.prompt)

    references.check()
    few_shot = references.few_shot()
    if not is_one_of_several():
        output.check()
    selection = data.select()

    with console.status("Loading PyTorch", quiet=general.quiet):
        from moeclip_cli.parallel.device import default_batch_size, describe_device
        from moeclip_cli.parallel.world import is_main_process, join_world, process_device
        from moeclip_cli.runs.benchmark_job import BenchmarkJob, Choices, Execution
        from moeclip_cli.runs.benchmark_run import assist_benchmark
        from moeclip_cli.runs.ray_benchmark import RayEvaluation

    device = process_device("cpu" if run.ray else run.device)
    if ran_in_several(processes, device):
        return
    quiet = general.quiet or not is_main_process()
    with run.joined(quiet=quiet) as share, join_world() as world:
        if not quiet:
            for remark in selection.remarks(data.limit):
                console.warn(remark)
            console.note(f"Loading {', '.join(models.names)}.")
        settled = settle(run.precision, models.measured(str(device)), quiet=quiet)
        loaded = models.load(replace(run, device=str(device), precision=settled.precision), frames)
        choices = Choices(
            evaluation.protocol,
            data.limit,
            evaluation.mask_cut,
            evaluation.compare,
            few_shot,
            own_references=bool(references.reference),
            mutual=references.mutual,
        )
        job = BenchmarkJob(loaded, selection, choices)
        if not quiet:
            for remark in (*job.seen, *job.skipped, *loaded[0].remarks):
                console.warn(remark)
        execution = Execution(run.pace_with(default_batch_size(device), share), world)
        if world.rank > 0:
            assist_benchmark(job, execution)
            return
        where = describe_device(device) if share is None else str(share)
        if share is not None:
            load = partial(models.load, replace(run, device=share.device), frames)
            remote = RayEvaluation(load, job, execution.pace, share, remark_unless(quiet))
            execution = replace(execution, elsewhere=remote)
        report = _run(job, execution, output, where, settled.facts, quiet=quiet)
    if not quiet:
        print_tables(report.lines)
        console.note(
            f"Results are in {output.out}; {output.out / 'report.html'} shows the worst and best "
            "pictures."
        )
    if selection.broken:
        raise DatasetError(
            f"All other datasets are finished, but {len(selection.broken)} could not be opened: "
            f"{selection.broken[0]}"
        )
    if report.failed:
        raise typer.Exit(ExitCode.UNREADABLE_IMAGES)


def _run(
    job: BenchmarkJob,
    execution: Execution,
    output: BenchmarkOutput,
    device: str,
    facts: dict[str, Any],
    *,
    quiet: bool,
) -> BenchmarkReport:
    """Claim the folder and evaluate, with progress; the device is given in words."""
    from moeclip_cli.parallel.versions import torch_versions
    from moeclip_cli.runs.benchmark_run import claim_folder, run_benchmark
    from moeclip_cli.runs.environment import describe_environment

    environment = describe_environment(device, command_line(), torch_versions())
    environment |= {"processes": execution.world.size, **facts}
    folder = claim_folder(output.out, job.settings, environment, overwrite=output.overwrite)
    kept = f"Finished categories are kept in {output.out}; the same command continues from there."
    with (
        console.note_if((KeyboardInterrupt, ProcessLostError), kept),
        meter(job.images, quiet=quiet, label="Benchmark") as advance_one,
    ):

        def advance(count: int) -> None:
            for _ in range(count):
                advance_one()

        def observe(results: Sequence[CategoryResult]) -> None:
            if not quiet:
                print_category(results)

        return run_benchmark(job, folder, replace(execution, advance=advance, observe=observe))


def _self_check(models: BenchmarkModels, device: options.DeviceOptions, *, quiet: bool) -> None:
    """Compare with recorded numbers.

    Raises:
        ModelError: if they differ, or none are recorded for the model.
    """
    from moeclip_cli.evaluation.self_check import PAIRS, self_check

    model = ModelOptions(
        models.names[0],
        backbone_weights=models.backbone_weights,
        image_size=models.image_size,
    )
    inspector = model.load_inspector(device, quiet=quiet)
    with meter(2 * PAIRS, quiet=quiet, label="Self-check") as advance:
        comparison = self_check(inspector, advance)
    if not quiet:
        print_comparison(comparison)
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
