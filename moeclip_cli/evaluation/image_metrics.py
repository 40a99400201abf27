"""Image-level metrics: one score and one label per image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.ranking import rank


@dataclass(frozen=True)
class ImageMetrics:
    """Separation of anomalous from normal images by their scores, each metric in [0, 1].

    All are None if all images have the same label.

    Attributes:
        auroc: area under the ROC curve.
        average_precision: step-wise, as in scikit-learn.
        f1_max: best F1 over all thresholds.
    """

    auroc: float | None
    average_precision: float | None
    f1_max: float | None


def image_metrics(scores: ArrayLike, anomalous: ArrayLike) -> ImageMetrics:
    """Metrics of the image scores of one category.

    Args:
        scores: (n,) anomaly scores.
        anomalous: (n,) labels, true for an anomalous image.

    Raises:
        ModelError: if a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise ModelError(
            "An image score is not a finite number. Set `precision` to fp32, or use another "
            "checkpoint."
        )
    ranking = rank(scores, anomalous)
    return ImageMetrics(ranking.auroc(), ranking.average_precision(), ranking.f1_max())
