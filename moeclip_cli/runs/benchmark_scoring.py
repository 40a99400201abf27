"""Scoring of one category: its images in order, each with its mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.errors import DatasetError
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class ScoredSample:
    """An image of a category after scoring.

    Attributes:
        sample: the image.
        result: of the inspector.
        mask: (S, S) non-zero where anomalous; None if unknown.
        error: one sentence that names the image, if it or its mask cannot be read.
    """

    sample: Sample
    result: Result
    mask: NDArray[np.uint8] | None
    error: str | None


def score_category(
    task: Task, inspector: Inspector, execution: Execution
) -> Iterator[ScoredSample]:
    """Score this process's share of a category; `advance` is called after each image.

    Args:
        task: a model on the category.
        inspector: scores the images.
        execution: batch size, threads and processes.

    Raises:
        ModelError: if the model yields values that are not finite numbers.
    """
    part, pace = task.part, execution.pace
    samples = part.samples[execution.world.share(len(part.samples), pace.batch_size)]
    results = inspector.score(
        [sample.image for sample in samples],
        prompt=part.prompt,
        batch_size=pace.batch_size,
        workers=pace.workers,
    )
    masks = _masks(task, samples, inspector.image_size, pace)
    for sample, result, mask in zip(samples, results, masks, strict=True):
        error = result.error or mask.error
        if error is not None:
            error = f"{part.dataset.relative(sample.image)}: {error}"
        yield ScoredSample(sample, result, mask.pixels, error)
        execution.advance(1)


@dataclass(frozen=True)
class _Mask:
    """A mask at the size of the maps, or the reason why there is none."""

    pixels: NDArray[np.uint8] | None = None
    error: str | None = None


def _masks(task: Task, samples: Sequence[Sample], size: int, pace: Pace) -> Iterator[_Mask]:
    """The masks of samples; in a category with masks, a normal image has an empty one."""
    masked = any(sample.mask for sample in task.part.samples)

    def load(sample: Sample) -> _Mask:
        if sample.mask is None:
            normal = masked and not sample.label
            return _Mask(np.zeros((size, size), np.uint8) if normal else None)
        try:
            return _Mask(read_mask(sample.mask, size, above=task.mask_cut))
        except DatasetError as error:
            return _Mask(error=str(error))

    return prefetch(samples, load, workers=pace.workers, ahead=2 * pace.batch_size)
