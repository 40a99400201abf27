from __future__ import annotations

import pickle

import numpy as np
import pytest

from moeclip_cli.evaluation.score_sketch import ScoreSketch, SketchLimits

# Small enough that a few hundred thousand scores are thinned many times over.
SMALL = SketchLimits(buffer=2**13, rows=2**11, cell=1 / 300, weight_cell=1 / 300)
# With 32 buffers: one thinning for each of 6 generations, and one for the final combination.
WORST = 7 * 1.5 * SMALL.cell


def make_scores(kind: str, count: int = 250_000) -> np.ndarray:
    random = np.random.default_rng(1)
    if kind == "normal":
        scores = random.normal(size=count)
    elif kind == "ties":
        scores = random.integers(0, 30, count) / 4
    elif kind == "tiny range":
        scores = 0.5 + random.random(count) * 1e-3
    elif kind == "all magnitudes":
        scores = 10 ** random.uniform(-37, 37, count) * random.choice([-1, 1], count)
    elif kind == "tiny range among all magnitudes":
        wide = 10 ** random.uniform(-37, 37, count)
        scores = np.where(random.random(count) < 0.5, 0.5 + random.random(count) * 1e-5, wide)
    elif kind == "one heavy value":
        scores = np.where(random.random(count) < 0.8, 0.0, random.normal(size=count))
    elif kind == "wide first, narrow later":
        scores = random.normal(size=count) * np.where(np.arange(count) < count // 4, 1e6, 1e-3)
    else:
        scores = np.sort(random.normal(size=count))
    return scores.astype(np.float32)


KINDS = [
    "normal",
    "ties",
    "tiny range",
    "all magnitudes",
    "tiny range among all magnitudes",
    "one heavy value",
    "wide first, narrow later",
    "ascending",
]


def exact_counts(scores, thresholds):
    ordered = np.sort(scores)
    above = scores.size - np.searchsorted(ordered, thresholds, side="right")
    return above, scores.size - np.searchsorted(ordered, thresholds)


def fill(sketch, scores, parts=40):
    for part in np.array_split(scores, parts):
        sketch.add(part)
    return sketch


@pytest.mark.parametrize("kind", KINDS)
def test_every_rank_is_within_the_reported_bound(kind):
    scores = make_scores(kind)
    sketch = fill(ScoreSketch(False, SMALL), scores)
    thresholds = np.unique(scores)
    for counted, exact in zip(
        sketch.counts(thresholds), exact_counts(scores, thresholds), strict=True
    ):
        assert (np.abs(counted - exact) <= sketch.error * exact + 1e-6).all()
    assert sketch.error <= WORST


@pytest.mark.parametrize("kind", ["normal", "wide first, narrow later"])
def test_memory_is_bounded_by_thinning(kind):
    run = fill(ScoreSketch(False, SMALL), make_scores(kind)).run()
    assert run.error > 0
    assert run.counts.sum() == 250_000
    # About (1 + log(n * cell)) / cell.
    assert run.scores.size < 3 * 300 * (1 + np.log(250_000 / 300))


def test_the_highest_scores_and_heavy_ties_stay_exact():
    scores = make_scores("one heavy value")
    run = fill(ScoreSketch(False, SMALL), scores).run()
    np.testing.assert_array_equal(run.scores[-100:], np.sort(scores)[-100:])
    assert run.counts[run.scores == 0] == np.count_nonzero(scores == 0)


def test_few_distinct_scores_are_counted_exactly():
    scores = make_scores("ties")
    sketch = fill(ScoreSketch(False, SMALL), scores)
    values, counts = np.unique(scores, return_counts=True)
    run = sketch.run()
    np.testing.assert_array_equal(run.scores, values)
    np.testing.assert_array_equal(run.counts, counts)
    assert sketch.error == 0


@pytest.mark.parametrize("kind", KINDS)
def test_weights_stay_with_their_scores(kind):
    scores = make_scores(kind)
    weights = np.random.default_rng(2).random(scores.size, dtype=np.float32)
    sketch = ScoreSketch(True, SMALL)
    for part in np.array_split(np.arange(scores.size), 40):
        sketch.add(scores[part], weights[part])
    run = sketch.run()
    order = np.argsort(scores)
    exact = np.cumsum(weights[order][::-1], dtype=np.float64)[::-1]
    thresholds = np.unique(scores)
    exact = exact[np.searchsorted(scores[order], thresholds)]
    summed = np.append(np.cumsum(run.weights[::-1], dtype=np.float64)[::-1], 0.0)
    summed = summed[np.searchsorted(run.scores, thresholds)]
    assert np.abs(summed - exact).max() / weights.sum() < 7 * 1.5 * SMALL.weight_cell


def test_merged_parts_stay_within_the_bound():
    scores = make_scores("normal")
    whole = fill(ScoreSketch(False, SMALL), scores)
    merged = ScoreSketch(False, SMALL)
    for part in np.array_split(scores, 5):
        merged.merge(fill(ScoreSketch(False, SMALL), part))
    thresholds = np.unique(scores)
    exact = exact_counts(scores, thresholds)[1]
    counted = merged.counts(thresholds)[1]
    assert counted[0] == whole.counts(thresholds)[1][0] == scores.size
    assert (np.abs(counted - exact) <= merged.error * exact + 1e-6).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [0, 100, 20_000])
def test_a_pickled_sketch_contains_only_the_filled_buffer(weighted, count):
    scores = make_scores("normal", count)
    sketch = ScoreSketch(weighted, SMALL)
    sketch.add(scores, np.ones(count, np.float32) if weighted else None)
    sent = pickle.dumps(sketch)
    assert len(sent) < 20_000 + 60 * min(count, SMALL.buffer)
    received = pickle.loads(sent)
    more = make_scores("normal", 100)
    received.add(more, np.ones(100, np.float32) if weighted else None)
    run = received.run()
    assert run.counts.sum() == count + 100
    assert run.weights.sum() == pytest.approx((count + 100) * weighted)


def test_a_weighted_sketch_has_no_counts():
    with pytest.raises(ValueError, match="run"):
        ScoreSketch(True, SMALL).counts(np.zeros(1, np.float32))


def test_an_empty_sketch_counts_nothing():
    sketch = ScoreSketch(True, SMALL)
    assert sketch.run().scores.size == 0
    above, at_or_above = ScoreSketch(False, SMALL).counts(np.array([0.0, 1.0], np.float32))
    assert above.tolist() == at_or_above.tolist() == [0, 0]
