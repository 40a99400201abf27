"""`moeclip benchmark` in an output folder: finished categories are kept, a killed run continues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from moeclip_cli.evaluation.lines import benchmark_lines
from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.reports.pages.benchmark_files import write_reports
from moeclip_cli.reports.pages.benchmark_report import BenchmarkReport
from moeclip_cli.runs.benchmark_category import evaluate_category
from moeclip_cli.runs.benchmark_job import BenchmarkJob, Execution, Task
from moeclip_cli.runs.benchmark_store import CategoryFile
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.kinds import BENCHMARK, continues_benchmark
from moeclip_cli.runs.run_card import read_card


def claim_folder(
    path: Path, settings: Mapping[str, Any], environment: Mapping[str, Any], *, overwrite: bool
) -> RunFolder:
    """Claim `path` for a benchmark; an unfinished one with equal settings is resumed.

    Args:
        path: the folder; made if missing.
        settings: of the job.
        environment: from `describe_environment`, and the number of `processes`. A resumed run keeps
            the start time of the first one.
        overwrite: remove the results of an earlier benchmark.

    Raises:
        UsageError: see `RunFolder.claim`.
    """
    earlier = read_card(path) or {}
    resume = continues_benchmark(path, overwrite=overwrite)
    before = earlier.get("environment")
    if resume and isinstance(before, dict) and "started" in before:
        environment = {**environment, "started": before["started"]}
    return RunFolder.claim(
        path, BENCHMARK, settings, environment, overwrite=overwrite, resume=resume
    )


def run_benchmark(job: BenchmarkJob, folder: RunFolder, execution: Execution) -> BenchmarkReport:
    """Evaluate the categories without a kept result, write all files and close the folder.

    Args:
        job: models, datasets and choices.
        folder: the claimed output folder.
        execution: of the first process; the others call `assist_benchmark`.

    Raises:
        ModelError: if a model yields values that are not finite numbers.
        UsageError: if the folder cannot be written.
        ProcessLostError: if another process has ended.
    """
    with folder:
        return _run_in(folder, job, execution)


def _run_in(folder: RunFolder, job: BenchmarkJob, execution: Execution) -> BenchmarkReport:
    results = evaluate(job.tasks, folder.path, execution)
    failed = _failed(results)
    remarks = job.remarks
    if failed:
        remarks.append(f"{failed} images were left out: they or their masks are unreadable.")
    choices = job.choices
    lines = benchmark_lines(results, compare=choices.compare, zero_shot=not choices.own_references)
    card = job.describe(folder.card.environment)
    report = BenchmarkReport(card, results, lines, remarks, failed)
    write_reports(folder.path, report)
    folder.finish({"images": job.images, "failed": failed})
    return report


def _failed(results: Sequence[CategoryResult]) -> int:
    """Number of images that were left out; all numbers of shots of a category have the same."""
    errors = {(each.model, each.title, each.category): each.errors for each in results}
    return sum(map(len, errors.values()))


def evaluate(tasks: Sequence[Task], folder: Path, execution: Execution) -> list[CategoryResult]:
    """The results of each task: kept ones, or new ones, which are kept when they are complete.

    Args:
        tasks: models on categories.
        folder: output folder with the kept results.
        execution: of the first process.

    Raises:
        ModelError: if a model yields values that are not finite numbers.
        UsageError: if the folder cannot be written.
        ProcessLostError: if another process has ended.
    """
    files = [CategoryFile.of(folder, task) for task in tasks]
    results: dict[int, Sequence[CategoryResult]] = {}
    for index, file in enumerate(files):
        kept = file.read()
        if kept is not None:
            results[index] = kept
            execution.advance(len(tasks[index].part.samples))
            execution.observe(kept)

    def keep(index: int, found: Sequence[CategoryResult]) -> None:
        files[index].write(found)
        results[index] = found
        execution.observe(found)

    missing = sorted(set(range(len(tasks))) - results.keys(), key=lambda i: (tasks[i].number, i))
    if execution.elsewhere is None:
        _evaluate_missing(tasks, execution.world.broadcast(missing), execution, keep)
    else:
        for index, found in execution.elsewhere(missing):
            keep(index, found)
            execution.advance(len(tasks[index].part.samples))
    return [result for index in range(len(tasks)) for result in results[index]]


def assist_benchmark(job: BenchmarkJob, execution: Execution) -> None:
    """Evaluate this process's share of the benchmark that the first process runs.

    Args:
        job: the same in all processes.
        execution: of this process.

    Raises:
        ModelError: if a model yields values that are not finite numbers.
        ProcessLostError: if another process has ended.
    """
    missing: list[int] = execution.world.broadcast(None)
    _evaluate_missing(job.tasks, missing, execution, lambda index, result: None)


def _evaluate_missing(
    tasks: Sequence[Task],
    missing: Sequence[int],
    execution: Execution,
    keep: Callable[[int, Sequence[CategoryResult]], None],
) -> None:
    """Evaluate the tasks with these indices; `keep` is called in the first process only."""
    counted = 0

    def advance(images: int) -> None:
        nonlocal counted
        before, counted = counted, execution.world.add_to_count(images)
        execution.advance(counted - before)

    sharing = replace(execution, advance=advance)
    pool = ThreadPoolExecutor(1, "moeclip-metrics")
    metrics: deque[Future[None]] = deque()
    try:
        for turn, index in enumerate(missing):
            mine = replace(sharing, turn=turn)
            metrics.append(evaluate_category(tasks[index], mine, pool, partial(keep, index)))
            # At most one category's pixels wait for their metrics in each process. Images that are
            # compared with each other are all in one process.
            if len(metrics) > (execution.world.size if tasks[index].mutual else 1):
                metrics.popleft().result()
        for waiting in metrics:
            waiting.result()
        advance(0)  # images of other processes since the last call
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
