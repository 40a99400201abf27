from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.evaluation.localisation import extremes, image_average_precision
from moeclip_cli.evaluation.ranking import rank


def average_precision(scores, defects):
    """By its definition: the mean precision at the scores of the anomalous pixels."""
    scores, defects = np.ravel(scores), np.ravel(defects).astype(bool)
    return np.mean([defects[scores >= score].mean() for score in scores[defects]])


@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (-300, 40), (0.2, 1e-6)])
def test_the_value_is_the_average_precision_within_the_image(offset, scale):
    rng = np.random.default_rng(1)
    mask = np.zeros((40, 30), np.uint8)
    mask[5:12, 8:20] = 255
    levels = rng.integers(0, 200, mask.shape) + 60 * (mask > 0)
    expected = average_precision(levels, mask)
    assert 0.2 < expected < 0.9
    assert image_average_precision(offset + scale * levels, mask) == pytest.approx(expected)
    assert rank(levels.ravel(), mask.ravel()).average_precision() == pytest.approx(expected)


def test_a_flat_map_gets_the_share_of_anomalous_pixels():
    mask = np.arange(100).reshape(10, 10) < 7
    assert image_average_precision(np.full((10, 10), 0.4), mask) == pytest.approx(0.07)
    assert image_average_precision(mask, mask) == 1


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_has_no_value(label):
    assert image_average_precision(np.eye(4), np.full((4, 4), label)) is None


def test_the_three_worst_and_the_best_are_shown():
    assert extremes([0.9, None, 0.2, 0.5, 0.2, 0.7]) == [
        ("worst localised", 2), ("worst localised", 4), ("worst localised", 3),
        ("best localised", 0),
    ]  # fmt: skip
    assert extremes([0.3, 0.1]) == [("worst localised", 1), ("worst localised", 0)]
    assert extremes([None, None]) == []
