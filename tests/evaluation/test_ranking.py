from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from moeclip_cli.evaluation.ranking import rank


def make_items(kind: str, items: int = 500):
    random = np.random.default_rng(0)
    anomalous = random.random(items) < 0.2
    scores = random.normal(size=items) + anomalous
    if kind == "ties":
        scores = np.round(scores)
    elif kind == "constant":
        scores = np.zeros(items)
    elif kind == "perfect":
        scores = scores + 100 * anomalous
    elif kind == "reversed":
        scores = -scores - 100 * anomalous
    elif kind == "signed zeros":
        scores = np.where(scores > 0, 0.0, -0.0)
    return scores, anomalous


KINDS = ["distinct", "ties", "constant", "perfect", "reversed", "signed zeros"]


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_equal_those_of_scikit_learn(kind):
    scores, anomalous = make_items(kind)
    ranking = rank(scores, anomalous)
    precision, recall, _ = precision_recall_curve(anomalous, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert ranking.auroc() == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12)
    assert ranking.average_precision() == pytest.approx(
        average_precision_score(anomalous, scores), abs=1e-12
    )
    assert ranking.f1_max() == pytest.approx(f1.max(), abs=1e-12)


@pytest.mark.parametrize("limit", [0.05, 0.3, 0.77, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_area_up_to_a_limit_is_that_of_the_truncated_curve(kind, limit):
    scores, anomalous = make_items(kind)
    rate, recall, _ = sklearn_roc_curve(anomalous, scores, drop_intermediate=False)
    x = np.append(rate[rate <= limit], limit)
    y = np.append(recall[rate <= limit], np.interp(limit, rate, recall))
    ranking = rank(scores, anomalous)
    cut = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) / limit
    assert ranking.area_under(ranking.positives, limit) == pytest.approx(cut, abs=1e-12)


@pytest.mark.parametrize("labels", [[True, True], [False, False], []])
def test_metrics_are_undefined_for_a_single_label(labels):
    ranking = rank(np.arange(len(labels), dtype=float), np.array(labels, dtype=bool))
    assert not ranking.defined
    assert ranking.auroc() is None
    assert ranking.average_precision() is None
    assert ranking.f1_max() is None


def test_curves_contain_the_exact_points_and_both_ends():
    scores, anomalous = make_items("ties")
    ranking = rank(scores, anomalous)
    rate, recall = ranking.roc_curve(10_000)
    exact_rate, exact_recall, _ = sklearn_roc_curve(anomalous, scores)
    assert (rate[0], recall[0], rate[-1], recall[-1]) == (0, 0, 1, 1)
    ours = np.column_stack((rate, recall))
    for point in np.column_stack((exact_rate, exact_recall)):
        assert np.abs(ours - point).max(axis=1).min() < 1e-12
    found, precision = ranking.precision_recall_curve(10_000)
    assert found[-1] == 1
    assert precision[-1] == pytest.approx(
        anomalous.sum() / (anomalous.sum() + (scores >= scores[anomalous].min())[~anomalous].sum())
    )


def test_thinned_curves_stay_close_to_the_full_ones():
    scores, anomalous = make_items("distinct", items=20_000)
    ranking = rank(scores, anomalous)
    rate, recall = ranking.roc_curve(50)
    exact_rate, exact_recall, _ = sklearn_roc_curve(anomalous, scores)
    assert rate.size <= 51
    assert np.abs(np.interp(exact_rate, rate, recall) - exact_recall).max() < 0.05
