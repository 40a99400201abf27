from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.inspection.outliers import outlier_limit


def test_the_limit_is_robust_deviations_above_the_median():
    scores = np.random.default_rng(0).normal(0.3, 0.05, 10_001)
    assert outlier_limit(scores, 3, 0.0) == pytest.approx(0.3 + 3 * 0.05, abs=0.005)
    spoiled = [*scores, *[1.0] * 1000]
    assert outlier_limit(spoiled, 3, 0.0) == pytest.approx(0.45, abs=0.03)


def test_nearly_equal_scores_have_a_least_distance():
    assert outlier_limit([0.2, 0.2, 0.2001], 3, 0.02) == pytest.approx(0.22)
