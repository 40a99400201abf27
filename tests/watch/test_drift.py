"""The warning that pictures no longer look like the good parts of the calibration."""

from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.watch.backlog import Backlog
from moeclip_cli.watch.drift import Drift, ks_distance


def normal_scores(count, seed, mean=0.3):
    return np.random.default_rng(seed).normal(mean, 0.05, count).clip(0, 1)


def said(drift, scores):
    return [sentence for score in scores if (sentence := drift.add(float(score))) is not None]


@pytest.mark.parametrize("good_parts", [12, 30, 200])
def test_pictures_like_the_good_parts_are_no_drift(good_parts):
    for seed in range(5):
        drift = Drift(normal_scores(good_parts, seed), 0.5)
        assert said(drift, normal_scores(400, seed + 100)) == []
        assert drift.pictures == 0


@pytest.mark.parametrize(("mean", "direction"), [(0.42, "higher"), (0.18, "lower")])
def test_a_change_is_said_once_and_counted(mean, direction):
    drift = Drift(normal_scores(30, 0), 0.6)
    assert said(drift, normal_scores(60, 1)) == []
    (sentence,) = said(drift, normal_scores(100, 2, mean))
    assert f"score {direction} than the good parts" in sentence
    assert 50 < drift.pictures <= 100


def test_few_good_parts_are_no_measure():
    drift = Drift([0.1] * 9 + [0.9] * 20, 0.5)
    assert not drift.is_checked
    assert said(drift, [0.4] * 60) == []


def test_the_distance_is_the_largest_difference_of_the_shares():
    first, second = normal_scores(23, 0), normal_scores(50, 1, 0.33)
    first[:5] = second[:5]
    largest = max(abs(np.mean(first <= t) - np.mean(second <= t)) for t in [*first, *second])
    assert ks_distance(np.sort(first), np.sort(second)) == pytest.approx(largest)


def test_a_backlog_is_said_whenever_it_doubles():
    backlog = Backlog(there=20)
    numbers = [20, 15, 40, 41, 60, 82, 83, 5, 0, 0, 16, 17]
    found = [backlog.observe(number) for number in numbers]
    assert [sentence for sentence in found if sentence] == [
        "Pictures come faster than they are inspected: 41 wait.",
        "Pictures come faster than they are inspected: 83 wait.",
        "No picture waits any more.",
        "Pictures come faster than they are inspected: 17 wait.",
    ]
    assert backlog.most == 83
