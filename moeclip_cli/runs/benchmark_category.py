"""Evaluation of one category: scoring, masks and metrics run concurrently."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from moeclip_cli.evaluation.category import CategoryEvaluator
from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.inspection.placed import PlacedModel
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.benchmark_mutual import compare_category
from moeclip_cli.runs.benchmark_scoring import ScoredSample, score_category
from moeclip_cli.runs.benchmark_share import Share, category_result
from moeclip_cli.runs.benchmark_shots import evaluate_shots

# Maps that may wait for the metrics: 128 MB at 518 x 518.
_BACKLOG = 64


def evaluate_category(
    task: Task,
    execution: Execution,
    pool: ThreadPoolExecutor,
    keep: Callable[[Sequence[CategoryResult]], None],
) -> Future[None]:
    """Score this process's share of a category; the metrics follow in the thread of `pool`.

    The caller can score the next category in the meantime.

    Args:
        task: a model on a category.
        execution: batch size, threads and processes; `advance` is called with the images done.
        pool: of one thread, so that metrics and exchanges between processes stay in order.
        keep: called with the results in the thread of `pool`, in the first process only: one
            result, or one for each number of references.

    Returns:
        Done when `keep` has returned or, in other processes, the share has been sent; raises the
        error if there was one.

    Raises:
        ModelError: if the model yields values that are not finite numbers.
        UsageError: if a reference cannot be read.
    """
    if task.few_shot is not None:
        return evaluate_shots(task, execution, pool, keep)
    share = Share(CategoryEvaluator(task.part.protocols, task.part.dataset.domain))
    model, scored = _scoring(task, execution, share)
    added = _add(scored, pool, share)

    # Runs after all additions in the same thread, and meets their errors first.
    def finish() -> None:
        for future in added:
            future.result()
        merged = execution.world.gather(share)
        if merged is not None:
            keep([category_result(task, model, merged)])

    return pool.submit(finish)


def _scoring(
    task: Task, execution: Execution, share: Share
) -> tuple[PlacedModel, Iterable[ScoredSample]]:
    """The model in the domain of the category, and this process's images as they are scored."""
    if task.mutual:
        comparing = task.model.mutual_inspector(task.part.dataset.domain)
        return comparing, compare_category(task, comparing, execution, share)
    inspector = task.inspector
    share.threshold = inspector.threshold.value
    return inspector, score_category(task, inspector, execution)


def _add(
    samples: Iterable[ScoredSample], pool: ThreadPoolExecutor, share: Share
) -> list[Future[None]]:
    """Add samples to `share`; returns the additions that are not done yet."""
    waiting: deque[Future[None]] = deque()
    for scored in samples:
        if scored.error is None:
            share.samples.append(scored.sample)
            waiting.append(
                pool.submit(share.evaluator.add, scored.sample, scored.result, scored.mask)
            )
        else:
            share.errors.append(scored.error)
        while waiting and (len(waiting) > _BACKLOG or waiting[0].done()):
            waiting.popleft().result()
    return list(waiting)
