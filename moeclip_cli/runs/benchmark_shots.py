"""Few-shot evaluation of one category: its images compared with each draw of references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.evaluation.category import CategoryEvaluator
from moeclip_cli.evaluation.category_metrics import mean_of_defined
from moeclip_cli.evaluation.results import METRICS, CategoryResult, Evaluation
from moeclip_cli.evaluation.shots import Draws
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.references import Subsets
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.subset_results import compact, subset_result
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.benchmark_scoring import ScoredSample, score_category
from moeclip_cli.runs.benchmark_share import Share, category_result

_DECIMALS = 6


@dataclass(frozen=True)
class _Compared:
    """An image with its distances to every draw: some 100 kB instead of a map for each draw.

    Attributes:
        sample: the image.
        result: with distances, without maps.
        shape: height and width of its maps.
        mask: bits of its mask, row by row; None if unknown.
    """

    sample: Sample
    result: Result
    shape: tuple[int, int]
    mask: NDArray[np.uint8] | None

    @classmethod
    def of(cls, scored: ScoredSample, inspector: Inspector) -> _Compared:
        """An image that was scored."""
        height, width = scored.result.height or 0, scored.result.width or 0
        mask = None if scored.mask is None else np.packbits(scored.mask)
        shape = inspector.map_size(height, width)
        return cls(scored.sample, compact(scored.result), shape, mask)

    def add_to(self, evaluator: CategoryEvaluator, subset: int, inspector: Inspector) -> None:
        """Add the image to the evaluation of one draw."""
        result = subset_result(self.result, subset, self.shape, inspector.domain)
        height, width = self.shape
        mask = None
        if self.mask is not None:
            mask = np.unpackbits(self.mask, count=height * width).reshape(height, width)
        evaluator.add(self.sample, result, mask)


def evaluate_shots(
    task: Task,
    execution: Execution,
    pool: ThreadPoolExecutor,
    keep: Callable[[Sequence[CategoryResult]], None],
) -> Future[None]:
    """Evaluate a category with the references of each draw; see `evaluate_category`.

    The patches of an image are computed once and compared with each reference once. The metrics of
    one draw after the other follow in the thread of `pool`, so that memory does not grow with the
    number of draws but for their distances.

    Raises:
        ModelError: if the model yields values that are not finite numbers.
        UsageError: if a reference cannot be read.
    """
    part, draws, few_shot = task.part, task.part.draws, task.few_shot
    if draws is None or few_shot is None:
        raise ValueError("the category has no draws of references")
    subsets = Subsets(tuple(_subsets(draws)))
    inspector = task.model.inspector(part.dataset.domain, subsets, few_shot.rotations)
    compared: list[_Compared] = []
    errors: list[str] = []
    for scored in score_category(task, inspector, execution):
        if scored.error is None:
            compared.append(_Compared.of(scored, inspector))
        else:
            errors.append(scored.error)

    def evaluate(subset: int) -> CategoryResult | None:
        """The result with one set of references, in the first process only."""
        share = Share(
            CategoryEvaluator(part.protocols, part.dataset.domain),
            [each.sample for each in compared],
            list(errors),
            inspector.threshold.value,
        )
        for each in compared:
            each.add_to(share.evaluator, subset, inspector)
        merged = execution.world.gather(share)
        return None if merged is None else category_result(task, inspector, merged)

    def finish() -> None:
        results = [evaluate(subset) for subset in range(len(subsets.images))]
        if results[0] is not None:
            keep(list(_by_shots(task, draws, [each for each in results if each is not None])))

    return pool.submit(finish)


def _subsets(draws: Draws) -> Iterator[tuple[Path, ...]]:
    """The references of every draw, for one number of shots after the other."""
    for shots in draws.shots:
        yield from draws.references(shots)


def _by_shots(
    task: Task, draws: Draws, results: Sequence[CategoryResult]
) -> Iterator[CategoryResult]:
    """One result for each number of shots, the mean over the draws."""
    count, relative = len(draws.orders), task.part.dataset.relative
    for index, shots in enumerate(draws.shots):
        group = results[index * count : (index + 1) * count]
        first = group[0]
        yield replace(
            first,
            notes=(*first.notes, *_notes(count)),
            evaluations={
                protocol: _mean_evaluation([result.evaluations[protocol] for result in group])
                for protocol in first.evaluations
            },
            shots=shots,
            references=tuple(
                tuple(relative(path) for path in paths) for paths in draws.references(shots)
            ),
        )


def _notes(draws: int) -> Iterator[str]:
    if draws > 1:
        yield f"means of {draws} draws; curves, scores and pictures are those of the first one"


def _mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The mean metrics of several draws; the rest is that of the first."""
    means = {
        name: mean_of_defined(evaluation.metrics[name] for evaluation in evaluations)
        for name in METRICS
    }
    return replace(
        evaluations[0],
        metrics={
            name: None if value is None else round(value, _DECIMALS)
            for name, value in means.items()
        },
        error_bound=max(evaluation.error_bound for evaluation in evaluations),
        draws=tuple(evaluation.metrics for evaluation in evaluations),
    )
