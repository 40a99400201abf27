"""Scoring of one category: its images in order, each with its mask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.errors import DatasetError
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.placed import PlacedModel
from moeclip_cli.inspection.result import Result
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class ScoredSample:
    """An image of a category after scoring.

    Attributes:
        sample: the image.
        result: of the inspector.
        mask: (H, W) non-zero where anomalous; None if unknown.
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
    for scored in with_masks(task, inspector, samples, results, pace):
        yield scored
        execution.advance(1)


def with_masks(
    task: Task,
    model: PlacedModel,
    samples: Sequence[Sample],
    results: Iterable[Result],
    pace: Pace,
) -> Iterator[ScoredSample]:
    """Put scored images and their masks together.

    Args:
        task: a model on the category.
        model: that scored the images.
        samples: images of the category.
        results: of the images.
        pace: threads that read masks.
    """
    masks = _masks(task, model, samples, pace)
    for sample, result, read in zip(samples, results, masks, strict=True):
        mask = read.fitting(result)
        error = result.error or mask.error
        if error is not None:
            error = f"{task.part.dataset.relative(sample.image)}: {error}"
        yield ScoredSample(sample, result, mask.pixels, error)


@dataclass(frozen=True)
class _Mask:
    """A mask at the size of the maps, or the reason why there is none.

    Attributes:
        pixels: (H, W) uint8, non-zero where anomalous.
        size: height and width of the file.
        empty: True for a normal image whose mask has the size of its map.
        error: one sentence, if the mask cannot be read.
    """

    pixels: NDArray[np.uint8] | None = None
    size: tuple[int, int] | None = None
    empty: bool = False
    error: str | None = None

    def fitting(self, result: Result) -> _Mask:
        """The mask for the map of a result; one of another aspect ratio does not fit.

        For square maps, masks may have another aspect ratio, as in the authors' code, unless they
        lie on their side: images are upright, by their EXIF orientation.
        """
        anomaly_map = result.probability
        if anomaly_map is None or self.error is not None:
            return self
        if self.empty:
            return _Mask(np.zeros(anomaly_map.shape, np.uint8))
        if self.pixels is not None and self.pixels.shape != anomaly_map.shape:
            return _Mask(error="The mask has another aspect ratio than its image; export it again.")
        image = result.height, result.width
        if self.size is not None and self.size == image[::-1] != image:
            return _Mask(
                error=f"The mask has {self.size[1]} x {self.size[0]} pixels and lies on its side: "
                f"its image has {image[1]} x {image[0]} in the orientation that its EXIF data say; "
                "export it again."
            )
        return self


def _masks(
    task: Task, model: PlacedModel, samples: Sequence[Sample], pace: Pace
) -> Iterator[_Mask]:
    """The masks of samples; in a category with masks, a normal image has an empty one."""
    masked = any(sample.mask for sample in task.part.samples)

    def load(sample: Sample) -> _Mask:
        if sample.mask is None:
            return _Mask(empty=masked and not sample.label)
        sizes = []

        def fit(height: int, width: int) -> tuple[int, int]:
            sizes.append((height, width))
            return model.map_size(height, width)

        try:
            pixels = read_mask(sample.mask, fit, above=task.mask_cut)
            return _Mask(pixels, sizes[0])
        except DatasetError as error:
            return _Mask(error=str(error))

    return prefetch(samples, load, workers=pace.workers, ahead=2 * pace.batch_size)
