from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation, PixelMetrics
from moeclip_cli.evaluation.score_sketch import SketchLimits

SIDE, COUNT = 120, 16
PIXELS = SIDE * SIDE * COUNT
# 230,000 pixels are counted in many runs, all thinned, as 10^9 are with the default limits.
SMALL = SketchLimits(buffer=2**13, rows=2**11, cell=1 / 400, weight_cell=1 / 400)


def make_pixels(kind: str, count: int = PIXELS):
    random = np.random.default_rng(5)
    anomalous = random.random(count) < (0.5 if kind == "half anomalous" else 0.03)
    if kind == "rare positives":
        anomalous = np.zeros(count, bool)
        anomalous[random.choice(count, 7, replace=False)] = True
    plain = random.normal(size=count) + 1.5 * anomalous
    wide = 10 ** (random.uniform(-30, 30, count) + anomalous)
    scores = {
        "ties": np.round(4 * plain) / 4,
        "tiny range": 0.5 + 1e-6 * plain,
        "all magnitudes": wide * np.sign(plain),
        "tiny range among all magnitudes": np.where(plain < 0.5, 0.5 + 1e-6 * plain, wide),
        "mostly one value": np.where(random.random(count) < 0.7, 0.0, plain),
        "ascending": np.sort(plain),
        "reversed": -plain,
        "perfect": plain + 20 * anomalous,
        "signed zeros": np.where(plain > 1, 0.0, -0.0),
    }.get(kind, plain)
    return scores.astype(np.float32), anomalous


KINDS = [
    "normal",
    "ties",
    "tiny range",
    "all magnitudes",
    "tiny range among all magnitudes",
    "mostly one value",
    "rare positives",
    "half anomalous",
    "ascending",
    "reversed",
    "perfect",
    "signed zeros",
]


def evaluate(scores, anomalous, limits=None, side=SIDE):
    evaluation = PixelEvaluation(limits)
    for anomaly_map, mask in zip(
        scores.reshape(-1, side, side), anomalous.reshape(-1, side, side), strict=True
    ):
        evaluation.update(anomaly_map, mask)
    return evaluation


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_equal_those_of_scikit_learn_while_exact(kind):
    scores, anomalous = make_pixels(kind)
    metrics = evaluate(scores, anomalous).compute()
    assert metrics.error_bound == 0
    assert metrics.auroc == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12)
    assert metrics.average_precision == pytest.approx(
        average_precision_score(anomalous, scores), abs=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_within_the_reported_bound_when_it_does_not_fit(kind):
    scores, anomalous = make_pixels(kind)
    exact = evaluate(scores, anomalous).compute()
    metrics = evaluate(scores, anomalous, SMALL).compute()
    bound = metrics.error_bound + 1e-12
    assert bound < 0.03
    assert abs(metrics.auroc - exact.auroc) <= bound
    assert abs(metrics.average_precision - exact.average_precision) <= bound
    # Moves up and down cancel, so the actual error is about a thirtieth of the bound.
    assert abs(metrics.auroc - exact.auroc) < 1e-3
    assert abs(metrics.average_precision - exact.average_precision) < 1e-3
    assert abs(metrics.pro - exact.pro) < 1e-3
    assert abs(metrics.f1_max - exact.f1_max) < 3e-3


def test_the_default_resolution_has_the_documented_bound():
    random = np.random.default_rng(0)
    side, count = 1000, 2
    scores, anomalous = make_pixels("normal", side * side * count)
    narrow = random.random(scores.size) < 0.2
    scores[narrow] = 0.5 + 1e-5 * scores[narrow]
    limits = SketchLimits(buffer=2**19, rows=2**18)
    metrics = evaluate(scores, anomalous, limits, side).compute()
    assert 0 < metrics.error_bound < 5e-5
    assert abs(metrics.auroc - roc_auc_score(anomalous, scores)) < 5e-7


@pytest.mark.parametrize("limits", [None, SMALL])
def test_merged_parts_give_the_metrics_of_the_whole(limits):
    scores, anomalous = make_pixels("normal")
    one = evaluate(scores, anomalous, limits).compute()
    together = PixelEvaluation(limits)
    for part in range(4):
        there = np.s_[part * PIXELS // 4 : (part + 1) * PIXELS // 4]
        sent = pickle.dumps(evaluate(scores[there], anomalous[there], limits))
        together.merge(pickle.loads(sent))
    metrics = together.compute()
    tolerance = 1e-12 if limits is None else one.error_bound + metrics.error_bound
    for name in ("auroc", "average_precision", "f1_max", "pro"):
        assert getattr(metrics, name) == pytest.approx(getattr(one, name), abs=tolerance)


def test_metrics_can_be_computed_between_updates():
    scores, anomalous = make_pixels("normal")
    evaluation = evaluate(scores[: PIXELS // 2], anomalous[: PIXELS // 2])
    half = evaluation.compute()
    assert evaluation.compute() == half
    for anomaly_map, mask in zip(
        scores[PIXELS // 2 :].reshape(-1, SIDE, SIDE),
        anomalous[PIXELS // 2 :].reshape(-1, SIDE, SIDE),
        strict=True,
    ):
        evaluation.update(anomaly_map, mask)
    assert evaluation.compute().auroc == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12)
    assert evaluation.ranking().auroc() == evaluation.compute().auroc


def test_maps_of_different_sizes_and_types_are_counted_together():
    random = np.random.default_rng(0)
    evaluation, scores, labels = PixelEvaluation(), [], []
    for shape, kind in (((9, 30), np.float16), ((40, 7), np.float64), ((5, 5), np.float32)):
        anomaly_map = random.normal(size=shape).astype(kind)
        mask = (random.random(shape) < 0.3) * np.uint8(255)
        evaluation.update(anomaly_map, mask)
        scores.append(anomaly_map.ravel().astype(np.float32))
        labels.append(mask.ravel() > 0)
    expected = roc_auc_score(np.concatenate(labels), np.concatenate(scores))
    assert evaluation.compute().auroc == pytest.approx(expected, abs=1e-12)


def test_a_map_may_be_modified_after_an_update():
    anomaly_map, mask = np.array([[0.0, 1.0]], np.float32), np.array([[0, 1]])
    evaluation = PixelEvaluation()
    evaluation.update(anomaly_map, mask)
    anomaly_map[:] = [[1.0, 0.0]]
    assert evaluation.compute().auroc == 1


@pytest.mark.parametrize("mask", [np.zeros((4, 4)), np.ones((4, 4)), None])
def test_metrics_are_undefined_for_a_single_label_or_without_masks(mask):
    evaluation = PixelEvaluation()
    if mask is not None:
        evaluation.update(np.eye(4), mask)
    assert evaluation.compute() == PixelMetrics(None, None, None, None)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_rejected(bad):
    anomaly_map = np.zeros((4, 4))
    anomaly_map[2, 2] = bad
    with pytest.raises(ModelError, match="not finite numbers. Set `precision`"):
        PixelEvaluation().update(anomaly_map, np.zeros((4, 4)))


def test_a_mask_of_another_size_is_rejected():
    with pytest.raises(ValueError, match="shape"):
        PixelEvaluation().update(np.zeros((4, 4)), np.zeros((4, 5)))
