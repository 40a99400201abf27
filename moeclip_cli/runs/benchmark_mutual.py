"""Scoring of one category whose images are compared with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from moeclip_cli.inspection.compared_image import ComparedImage
from moeclip_cli.inspection.mutual import COMPARING, MutualInspector
from moeclip_cli.inspection.subsets import subsets
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.benchmark_scoring import ScoredSample, with_masks
from moeclip_cli.runs.benchmark_share import Share

_NOTHING_COMPARED = AppliedThreshold(1.0, "no images were compared")


def compare_category(
    task: Task, inspector: MutualInspector, execution: Execution, share: Share
) -> Iterator[ScoredSample]:
    """Compare the images of a category with each other, as `MutualInspector.score` does.

    One process compares the whole category, while the others compare the next ones. `advance` is
    called in proportion to the finished comparisons.

    Args:
        task: a model on the category.
        inspector: compares the images.
        execution: batch size, threads and processes.
        share: of this process; it gets the threshold.

    Yields:
        Each image in order, after all comparisons; none in the other processes.

    Raises:
        ModelError: if memory does not suffice.
    """
    if execution.turn % execution.world.size != execution.world.rank:
        return
    compared = _compared(task, inspector, execution)
    scored = any(image.score is not None for image in compared)
    threshold = inspector.threshold_of(compared) if scored else _NOTHING_COMPARED
    share.threshold = threshold.value
    results = (inspector.result(image, task.part.prompt, threshold) for image in compared)
    yield from with_masks(task, inspector, task.part.samples, results, execution.pace)


def _compared(task: Task, inspector: MutualInspector, execution: Execution) -> list[ComparedImage]:
    """The images of the category, in order, each compared with those of its random subset."""
    images = [sample.image for sample in task.part.samples]
    found: dict[int, ComparedImage] = {}
    for numbers in subsets(len(images)):
        steps = _Steps(len(numbers), execution.advance)
        compared = inspector.compare(
            [images[number] for number in numbers],
            batch_size=execution.pace.batch_size,
            workers=execution.pace.workers,
            observe=steps.observe,
        )
        steps.finish()
        found.update(zip(numbers, compared, strict=True))
    return [found[number] for number in range(len(images))]


class _Steps:
    """Counts the images of a subset as done in proportion to their comparisons."""

    def __init__(self, images: int, advance: Callable[[int], None]) -> None:
        self._images = images
        self._advance = advance
        self._done = 0

    def observe(self, activity: str, done: int, total: int) -> None:
        """Take the progress of a comparison."""
        if activity == COMPARING:
            self._reach(self._images * done // total)

    def finish(self) -> None:
        """Count the rest."""
        self._reach(self._images)

    def _reach(self, done: int) -> None:
        if done > self._done:
            self._advance(done - self._done)
            self._done = done
