"""Metrics of images: one score and one label each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.ranking import rank


@dataclass(frozen=True)
class ImageMetrics:
    """How well scores separate anomalous from normal images, each in [0, 1].

    None where a metric is not defined: that is everywhere when all images have the same label.

    Attributes:
        auroc: area under the ROC curve.
        average_precision: step-wise, as scikit-learn's.
        f1_max: the best F1 that any threshold gives.
    """

    auroc: float | None
    average_precision: float | None
    f1_max: float | None


def image_metrics(scores: ArrayLike, anomalous: ArrayLike) -> ImageMetrics:
    """Metrics of the scores of a category's images.

    Args:
        scores: (n,) anomaly scores.
        anomalous: (n,) whether an image is anomalous.

    Raises:
        ModelError: if a score is not a finite number.
    """
    if not np.isfinite(scores).all():
        raise ModelError(
            "An image score is not a finite number: try --precision fp32, or another checkpoint."
        )
    ranking = rank(scores, anomalous)
    return ImageMetrics(ranking.auroc(), ranking.average_precision(), ranking.f1_max())
