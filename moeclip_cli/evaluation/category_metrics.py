"""Metrics of one category, in percent for tables, and their means over categories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moeclip_cli.evaluation.image_metrics import ImageMetrics
from moeclip_cli.evaluation.pixel_metrics import PixelMetrics
from moeclip_cli.evaluation.results import METRICS


@dataclass(frozen=True)
class CategoryMetrics:
    """Metrics of one category under one protocol.

    Attributes:
        image: metrics of the image scores.
        pixel: metrics of the map pixels, over the images that have a mask.
    """

    image: ImageMetrics
    pixel: PixelMetrics


def in_percent(metrics: CategoryMetrics) -> dict[str, float | None]:
    """The values of `results.METRICS` in percent, rounded to 6 decimals."""
    image, pixel = metrics.image, metrics.pixel
    values = (
        *(image.auroc, image.average_precision, image.f1_max),
        *(pixel.auroc, pixel.average_precision, pixel.pro, pixel.f1_max),
    )
    percent = (None if value is None else round(100 * value, 6) for value in values)
    return dict(zip(METRICS, percent, strict=True))


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """The arithmetic mean of the values that are not None; None if all are."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
