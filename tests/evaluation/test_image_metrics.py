from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.image_metrics import ImageMetrics, image_metrics


def test_metrics_equal_a_hand_computed_example():
    # In descending order: anomalous, normal, anomalous, normal.
    metrics = image_metrics([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0])
    assert metrics.auroc == pytest.approx(3 / 4)
    assert metrics.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.f1_max == pytest.approx(0.8)


@pytest.mark.parametrize("label", [0, 1])
def test_metrics_are_undefined_for_a_single_label(label):
    assert image_metrics([0.1, 0.2], [label, label]) == ImageMetrics(None, None, None)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_rejected(bad):
    with pytest.raises(ModelError, match="not a finite number. Set `precision`"):
        image_metrics([0.1, bad], [0, 1])
