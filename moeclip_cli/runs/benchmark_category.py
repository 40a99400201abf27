"""Evaluation of one category: scoring, masks and metrics run concurrently."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from moeclip_cli.evaluation.category import CategoryEvaluator
from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.benchmark_scoring import score_category
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
        execution: batch size, threads and processes; `advance` is called after each image.
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
    added = _score(task, execution, pool, share)

    # Runs after all additions in the same thread, and meets their errors first.
    def finish() -> None:
        for future in added:
            future.result()
        merged = execution.world.gather(share)
        if merged is not None:
            keep([category_result(task, task.inspector, merged)])

    return pool.submit(finish)


def _score(
    task: Task, execution: Execution, pool: ThreadPoolExecutor, share: Share
) -> list[Future[None]]:
    """Score this process's samples into `share`; returns the additions that are not done yet."""
    waiting: deque[Future[None]] = deque()
    for scored in score_category(task, task.inspector, execution):
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
