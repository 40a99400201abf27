from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moeclip_cli.inspection.conformal import conformal_threshold
from moeclip_cli.training.examples import Example
from moeclip_cli.training.validation import Measurements


def example(label, group="bolt"):
    mask = np.zeros((8, 8), np.uint8)
    if label:
        mask[2:4, 2:4] = 1
    return Example(np.zeros((8, 8, 3), np.uint8), mask, label, group, group)


def measurements(pairs, group="bolt"):
    measured = Measurements()
    for label, score in pairs:
        image = example(label, group)
        measured.add(image, score, image.mask * np.float32(score) + np.float32(0.01))
    return measured


def test_metrics_are_means_over_categories():
    measured = measurements([(0, 0.1), (0, 0.2), (1, 0.9)])
    measured.merge(measurements([(0, 0.8), (1, 0.3)], group="nut"))
    validation = measured.summarise(0.05)
    assert validation.image_auroc == pytest.approx((1 + 0) / 2)
    assert validation.pixel_auroc == pytest.approx(1)
    assert (validation.normal, validation.anomalous) == (3, 2)
    assert validation.measure == pytest.approx(0.75)


def test_pixels_of_an_anomalous_image_without_a_mask_do_not_count_as_normal():
    measured = measurements([(0, 0.1), (1, 0.9)])
    before = measured.summarise(0.05)
    unknown = replace(example(1), mask=np.zeros((8, 8), np.uint8), masked=False)
    measured.add(unknown, 0.9, np.ones((8, 8), np.float32))
    after = measured.summarise(0.05)
    assert (after.pixel_auroc, after.pixel_ap) == (before.pixel_auroc, before.pixel_ap)
    assert after.anomalous == before.anomalous + 1


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_the_threshold_is_the_conformal_one(share):
    scores = np.linspace(0.1, 0.5, 41)
    validation = measurements([(0, score) for score in scores]).summarise(share)
    assert (scores >= validation.threshold).mean() <= share
    assert validation.threshold < 0.52
    assert validation.threshold == conformal_threshold(list(scores), share)
    described = validation.describe_threshold("bolts", share)
    assert described.how == (
        f"{share:.0%} false alarms on 41 held-out normal images of bolts (split conformal)"
    )
    assert validation.image_auroc is None


def test_few_normal_images_give_the_lowest_rate_that_they_allow():
    validation = measurements([(0, 0.2), (0, 0.4), (0, 0.3)]).summarise(0.05)
    assert validation.threshold == pytest.approx(0.4001)
    assert validation.describe_threshold("bolts", 0.05).how == (
        "25% false alarms on 3 held-out normal images of bolts "
        "(split conformal; 5% takes 19 images)"
    )


def test_without_normal_images_there_is_no_threshold():
    validation = measurements([(1, 0.4), (1, 0.5)]).summarise(0.05)
    assert validation.threshold is None
    assert validation.describe_threshold("bolts", 0.05) is None
    assert validation.measure == pytest.approx(1)
