"""Evaluation of one category: scoring, masks and metrics run concurrently."""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.errors import DatasetError, ImageError
from moeclip_cli.evaluation.category import CategoryEvaluator, Misranked, ProtocolResult
from moeclip_cli.evaluation.category_metrics import in_percent
from moeclip_cli.evaluation.results import CategoryResult, Evaluation, Mistake
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.reports.pictures.overlay import render_overlay
from moeclip_cli.reports.pictures.panels import shrunk
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.stream import Pace

# Maps that may wait for the metrics: 128 MB at 518 x 518.
_BACKLOG = 64
_OVERLAY_SIDE = 256
_OVERLAY_QUALITY = 75
# Blue, which the colours of the anomaly map do not have.
_TRUTH = (0, 120, 255)


@dataclass(frozen=True)
class _Mask:
    """A mask at the size of the maps, or the reason why there is none.

    Attributes:
        pixels: (H, W) uint8, non-zero where anomalous.
        empty: True for a normal image whose mask has the size of its map.
        error: one sentence, if the mask cannot be read.
    """

    pixels: NDArray[np.uint8] | None = None
    empty: bool = False
    error: str | None = None

    def fitting(self, anomaly_map: NDArray[np.float32] | None) -> _Mask:
        """The mask for a map; one of another aspect ratio than its image does not fit."""
        if anomaly_map is None or self.error is not None:
            return self
        if self.empty:
            return _Mask(np.zeros(anomaly_map.shape, np.uint8))
        if self.pixels is not None and self.pixels.shape != anomaly_map.shape:
            return _Mask(error="The mask has another aspect ratio than its image; export it again.")
        return self


@dataclass
class _Share:
    """The evaluated images of a category in one process, or in several merged ones."""

    evaluator: CategoryEvaluator
    samples: list[Sample] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def merge(self, other: _Share) -> None:
        """Append the share of the next process."""
        self.evaluator.merge(other.evaluator)
        self.samples += other.samples
        self.errors += other.errors


def evaluate_category(
    task: Task,
    execution: Execution,
    pool: ThreadPoolExecutor,
    keep: Callable[[CategoryResult], None],
) -> Future[None]:
    """Score this process's share of a category; the metrics follow in the thread of `pool`.

    The caller can score the next category in the meantime.

    Args:
        task: a model on a category.
        execution: batch size, threads and processes; `advance` is called after each image.
        pool: of one thread, so that metrics and exchanges between processes stay in order.
        keep: called with the result in the thread of `pool`, in the first process only.

    Returns:
        Done when `keep` has returned or, in other processes, the share has been sent; raises the
        error if there was one.

    Raises:
        ModelError: if the model yields values that are not finite numbers.
    """
    part, world = task.part, execution.world
    share = _Share(CategoryEvaluator(part.protocols, part.dataset.domain))
    added = _score(task, execution, pool, share)

    # Runs after all additions in the same thread, and meets their errors first.
    def finish() -> None:
        for future in added:
            future.result()
        merged = world.gather(share)
        if merged is not None:
            keep(_result(task, merged))

    return pool.submit(finish)


def _score(
    task: Task, execution: Execution, pool: ThreadPoolExecutor, share: _Share
) -> list[Future[None]]:
    """Score this process's samples into `share`; returns the additions that are not done yet."""
    part, pace = task.part, execution.pace
    samples = part.samples[execution.world.share(len(part.samples), pace.batch_size)]
    results = task.inspector.score(
        [sample.image for sample in samples],
        prompt=part.prompt,
        batch_size=pace.batch_size,
        workers=pace.workers,
    )
    waiting: deque[Future[None]] = deque()
    for sample, result, read in zip(samples, results, _masks(task, samples, pace), strict=True):
        mask = read.fitting(result.probability)
        error = result.error or mask.error
        if error is None:
            share.samples.append(sample)
            waiting.append(pool.submit(share.evaluator.add, sample, result, mask.pixels))
        else:
            share.errors.append(f"{part.dataset.relative(sample.image)}: {error}")
        while waiting and (len(waiting) > _BACKLOG or waiting[0].done()):
            waiting.popleft().result()
        execution.advance(1)
    return list(waiting)


def _masks(task: Task, samples: Sequence[Sample], pace: Pace) -> Iterator[_Mask]:
    """The masks of samples; in a category with masks, a normal image has an empty one."""
    masked = any(sample.mask for sample in task.part.samples)

    def load(sample: Sample) -> _Mask:
        if sample.mask is None:
            return _Mask(empty=masked and not sample.label)
        try:
            return _Mask(read_mask(sample.mask, task.inspector.map_size, above=task.mask_cut))
        except DatasetError as error:
            return _Mask(error=str(error))

    return prefetch(samples, load, workers=pace.workers, ahead=2 * pace.batch_size)


def _result(task: Task, share: _Share) -> CategoryResult:
    part = task.part
    anomalous = sum(sample.label for sample in share.samples)
    return CategoryResult(
        model=task.model.name,
        dataset=part.dataset.name,
        title=part.dataset.title,
        category=part.category,
        prompt=part.prompt,
        normal=len(share.samples) - anomalous,
        anomalous=anomalous,
        masks=sum(sample.mask is not None for sample in share.samples),
        errors=tuple(share.errors),
        notes=tuple(_notes(share.samples)),
        evaluations={
            protocol: _evaluation(task, result)
            for protocol, result in share.evaluator.results().items()
        },
    )


def _notes(samples: list[Sample]) -> Iterator[str]:
    """Reasons why metrics are not defined or do not cover all images."""
    labels = {sample.label for sample in samples}
    if not samples:
        yield "no metrics: no image could be read"
    elif len(labels) == 1:
        which = "anomalous" if labels == {1} else "normal"
        yield f"no image metrics: all {len(samples)} images are {which}"
    without = sum(sample.label == 1 and sample.mask is None for sample in samples)
    if samples and not any(sample.mask for sample in samples):
        yield "no pixel metrics: there are no masks"
    elif without:
        yield f"pixel metrics without {without} anomalous images, which have no mask"


def _evaluation(task: Task, result: ProtocolResult) -> Evaluation:
    return Evaluation(
        metrics=in_percent(result.metrics),
        error_bound=round(100 * result.metrics.pixel.error_bound, 6),
        curves=result.curves,
        histogram=result.histogram,
        mistakes=tuple(_mistake(task, each) for each in result.misranked),
    )


def _mistake(task: Task, misranked: Misranked) -> Mistake:
    inspector = task.inspector
    path = task.part.dataset.relative(misranked.sample.image)
    try:
        pixels = inspector.read_pixels(misranked.sample.image)
    except ImageError:  # deleted since it was scored: listed without a picture
        return Mistake(misranked.kind, path, misranked.score)
    small = shrunk(pixels, _OVERLAY_SIDE)
    overlay = render_overlay(small, misranked.probability, inspector.threshold.value, legend=False)
    if misranked.sample.mask is not None:
        _outline_truth(
            overlay, read_mask(misranked.sample.mask, _OVERLAY_SIDE, above=task.mask_cut)
        )
    picture = b64encode(encode_picture(overlay, "jpeg", _OVERLAY_QUALITY)).decode()
    return Mistake(misranked.kind, path, misranked.score, picture)


def _outline_truth(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Outline the true defects in a picture, in place."""
    height, width = picture.shape[:2]
    fitted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(fitted, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, contours, -1, _TRUTH, 2, cv2.LINE_AA)
