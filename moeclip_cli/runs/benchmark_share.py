"""The evaluated images of a category, and the result that is reported of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.masks import read_mask
from moeclip_cli.errors import DatasetError, ImageError
from moeclip_cli.evaluation.category import (
    CategoryEvaluator,
    LocalisedSample,
    ProtocolResult,
    RankedSample,
)
from moeclip_cli.evaluation.category_metrics import in_percent
from moeclip_cli.evaluation.results import CategoryResult, Evaluation, Localised, Mistake, Ranked
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.inspection.placed import PlacedModel
from moeclip_cli.pictures.overlay import render_overlay
from moeclip_cli.pictures.panels import shrunk
from moeclip_cli.runs.benchmark_job import Task

_OVERLAY_SIDE = 256
_OVERLAY_QUALITY = 75
# Blue, which the colours of the anomaly map do not have.
_TRUTH = (0, 120, 255)

_Draw = Callable[[Sample, NDArray[np.float32]], str]
_Listed = RankedSample[Any] | LocalisedSample
_Shown = TypeVar("_Shown", Mistake, Ranked, Localised)


@dataclass
class Share:
    """The evaluated images of a category in one process, or in several merged ones.

    Attributes:
        evaluator: collects their results.
        samples: the images.
        errors: one sentence for each image that could not be evaluated.
        threshold: an image is anomalous at this score and above; 0 as long as it is not known.
    """

    evaluator: CategoryEvaluator
    samples: list[Sample] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    threshold: float = 0.0

    def merge(self, other: Share) -> None:
        """Append the share of the next process."""
        self.evaluator.merge(other.evaluator)
        self.samples += other.samples
        self.errors += other.errors
        self.threshold = max(self.threshold, other.threshold)


def category_result(task: Task, model: PlacedModel, share: Share) -> CategoryResult:
    """The result of a whole category.

    Args:
        task: a model on the category.
        model: that scored the images.
        share: all images of the category.

    Raises:
        ModelError: if an image score is not finite.
    """
    part = task.part
    anomalous = sum(sample.label for sample in share.samples)
    drawn: dict[Sample, str] = {}

    def draw(sample: Sample, probability: NDArray[np.float32]) -> str:
        # An image is often listed for several reasons.
        if sample not in drawn:
            drawn[sample] = _overlay(task, model, sample, probability, share.threshold)
        return drawn[sample]

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
        notes=tuple(_notes(share.samples, mutual=task.mutual)),
        evaluations={
            protocol: _evaluation(task, result, draw)
            for protocol, result in share.evaluator.results().items()
        },
        shots="test" if task.mutual else None,
    )


def _notes(samples: list[Sample], *, mutual: bool) -> Iterator[str]:
    """Reasons why metrics are not defined or do not cover all images."""
    labels = {sample.label for sample in samples}
    if not samples:
        which = "fewer than two images" if mutual else "no image"
        yield f"no metrics: {which} could be read"
    elif len(labels) == 1:
        which = "anomalous" if labels == {1} else "normal"
        yield f"no image metrics: all {len(samples)} images are {which}"
    without = sum(sample.label == 1 and sample.mask is None for sample in samples)
    if samples and not any(sample.mask for sample in samples):
        yield "no pixel metrics: there are no masks"
    elif without:
        yield f"pixel metrics without {without} anomalous images, which have no mask"


def _evaluation(task: Task, result: ProtocolResult, draw: _Draw) -> Evaluation:
    relative = task.part.dataset.relative

    def shown(record: Callable[..., _Shown], each: _Listed, value: float) -> _Shown:
        picture = draw(each.sample, each.probability)
        return record(each.kind, relative(each.sample.image), value, picture)

    return Evaluation(
        metrics=in_percent(result.metrics),
        error_bound=round(100 * result.metrics.pixel.error_bound, 6),
        curves=result.curves,
        histogram=result.histogram,
        mistakes=tuple(shown(Mistake, each, each.score) for each in result.misranked),
        localised=tuple(
            shown(Localised, each, round(100 * each.average_precision, 6))
            for each in result.localised
        ),
        ranked=tuple(shown(Ranked, each, each.score) for each in result.ranked),
    )


def _overlay(
    task: Task,
    model: PlacedModel,
    sample: Sample,
    probability: NDArray[np.float32],
    threshold: float,
) -> str:
    """A small JPEG of an image with its map and the ground truth, base64.

    Empty if the image or its mask was deleted since it was scored: it is listed without a picture.
    """
    try:
        pixels = model.read_pixels(sample.image)
        overlay = render_overlay(
            shrunk(pixels, _OVERLAY_SIDE), probability, threshold, legend=False
        )
        if sample.mask is not None:
            _outline_truth(overlay, read_mask(sample.mask, _OVERLAY_SIDE, above=task.mask_cut))
    except (DatasetError, ImageError):
        return ""
    return b64encode(encode_picture(overlay, "jpeg", _OVERLAY_QUALITY)).decode()


def _outline_truth(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Outline the ground truth in a picture, in place."""
    height, width = picture.shape[:2]
    fitted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(fitted, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, contours, -1, _TRUTH, 2, cv2.LINE_AA)
