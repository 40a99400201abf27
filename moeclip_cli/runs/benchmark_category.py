"""Evaluating one category: scoring, masks and metrics side by side, in one process or several."""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Dataset, Sample
from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.errors import DatasetError, ImageError
from moeclip_cli.evaluation.category import CategoryEvaluator, Findings, Wrong, in_percent
from moeclip_cli.evaluation.plan import Part
from moeclip_cli.evaluation.results import CategoryResult, Evaluation, Mistake
from moeclip_cli.images.decode import decode
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.parallel.world import World
from moeclip_cli.reports.overlay import render_overlay
from moeclip_cli.reports.panels import shrunk
from moeclip_cli.reports.pictures import encode_picture
from moeclip_cli.runs.stream import Pace

# Maps that may wait for the metrics: 128 MB at 518 x 518.
_BACKLOG = 64
_OVERLAY_SIDE = 256
_OVERLAY_QUALITY = 75
# Blue, which the colours of the anomaly map do not have.
_TRUTH = (0, 120, 255)


@dataclass(frozen=True)
class _Mask:
    """A mask at the size of the maps, or why there is none."""

    pixels: NDArray[np.uint8] | None = None
    error: str | None = None


@dataclass
class _Found:
    """What one process finds in its share of a category."""

    evaluator: CategoryEvaluator
    samples: list[Sample] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def merge(self, other: _Found) -> None:
        """Take in what the process with the next share has found."""
        self.evaluator.merge(other.evaluator)
        self.samples += other.samples
        self.errors += other.errors


class CategoryRunner:
    """Evaluates categories one after the other; metrics are computed in a thread of their own.

    The network works on the next category while the metrics of the last one are computed.

    Args:
        pace: batch size and threads.
        mask_cut: a mask's pixel is anomalous above this value.
        pool: of one thread, which keeps the order, of what the processes exchange too.
        world: the processes that share every category.
    """

    def __init__(self, pace: Pace, mask_cut: int, pool: ThreadPoolExecutor, world: World) -> None:
        self._pace = pace
        self._mask_cut = mask_cut
        self._pool = pool
        self._world = world

    def evaluate(
        self,
        inspector: Inspector,
        model: str,
        part: Part,
        advance: Callable[[], None],
        done: Callable[[CategoryResult], None],
    ) -> Future[None]:
        """Score this process's share of a category; its metrics come later, in the first process.

        Args:
            inspector: what scores.
            model: what to call it.
            part: the category.
            advance: called after each image.
            done: called in the metrics' thread of the first process, once they are there.

        Returns:
            Ends when `done` has returned, or the share is handed over; has the error, if there was
            one.

        Raises:
            ModelError: if the model yields values that are not finite numbers.
        """
        found = _Found(CategoryEvaluator(part.protocols, part.dataset.domain))
        waiting: deque[Future[None]] = deque()
        samples = part.samples[self._world.share(len(part.samples), self._pace.batch_size)]
        masked = any(sample.mask for sample in part.samples)
        masks = self._masks(samples, inspector.image_size, masked)
        results = inspector.score(
            [sample.image for sample in samples],
            prompt=part.prompt,
            batch_size=self._pace.batch_size,
            workers=self._pace.workers,
        )
        for sample, result, mask in zip(samples, results, masks, strict=True):
            error = result.error or mask.error
            if error is None:
                found.samples.append(sample)
                add = found.evaluator.add
                waiting.append(self._pool.submit(add, sample, result, mask.pixels))
            else:
                found.errors.append(f"{part.dataset.relative(sample.image)}: {error}")
            while waiting and (len(waiting) > _BACKLOG or waiting[0].done()):
                waiting.popleft().result()
            advance()
        # Behind all of the above in the same thread, whose errors it meets first.
        added = list(waiting)

        def finish() -> None:
            for future in added:
                future.result()
            whole = self._world.merged(found)
            if whole is not None:
                done(_result(inspector, model, part, self._mask_cut, whole))

        return self._pool.submit(finish)

    def _masks(self, samples: Sequence[Sample], size: int, masked: bool) -> Iterator[_Mask]:
        """The masks of samples; where the category has some, a normal image's is empty."""

        def load(sample: Sample) -> _Mask:
            if sample.mask is None:
                normal = masked and not sample.label
                return _Mask(np.zeros((size, size), np.uint8) if normal else None)
            try:
                return _Mask(read_mask(sample.mask, size, above=self._mask_cut))
            except DatasetError as error:
                return _Mask(error=str(error))

        ahead = 2 * self._pace.batch_size
        return prefetch(samples, load, workers=self._pace.workers, ahead=ahead)


def _result(
    inspector: Inspector, model: str, part: Part, mask_cut: int, found: _Found
) -> CategoryResult:
    anomalous = sum(sample.label for sample in found.samples)
    return CategoryResult(
        model=model,
        dataset=part.dataset.name,
        title=part.dataset.title,
        category=part.category,
        prompt=part.prompt,
        normal=len(found.samples) - anomalous,
        anomalous=anomalous,
        masks=sum(sample.mask is not None for sample in found.samples),
        errors=tuple(found.errors),
        notes=tuple(_notes(found.samples)),
        evaluations={
            protocol: _evaluation(inspector, part.dataset, mask_cut, findings)
            for protocol, findings in found.evaluator.findings().items()
        },
    )


def _notes(samples: list[Sample]) -> Iterator[str]:
    """Why metrics are not defined, or do not cover all images."""
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


def _evaluation(
    inspector: Inspector, dataset: Dataset, mask_cut: int, found: Findings
) -> Evaluation:
    return Evaluation(
        metrics=in_percent(found.metrics),
        error_bound=round(100 * found.metrics.pixel.error_bound, 6),
        curves=found.curves,
        histogram=found.histogram,
        mistakes=tuple(_mistake(inspector, dataset, mask_cut, wrong) for wrong in found.wrong),
    )


def _mistake(inspector: Inspector, dataset: Dataset, mask_cut: int, wrong: Wrong) -> Mistake:
    path = dataset.relative(wrong.sample.image)
    try:
        pixels = decode(wrong.sample.image, max_pixels=inspector.max_pixels).pixels
    except ImageError:  # gone since it was scored: listed without a picture
        return Mistake(wrong.kind, path, wrong.score)
    small = shrunk(pixels, _OVERLAY_SIDE)
    overlay = render_overlay(small, wrong.probability, inspector.threshold.value, legend=False)
    if wrong.sample.mask is not None:
        _outline_truth(overlay, read_mask(wrong.sample.mask, _OVERLAY_SIDE, above=mask_cut))
    picture = b64encode(encode_picture(overlay, "jpeg", _OVERLAY_QUALITY)).decode()
    return Mistake(wrong.kind, path, wrong.score, picture)


def _outline_truth(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Outline the true defects in a picture, in place."""
    height, width = picture.shape[:2]
    fitted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(fitted, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, contours, -1, _TRUTH, 2, cv2.LINE_AA)
