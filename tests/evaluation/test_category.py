from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.evaluation.category import CategoryEvaluator
from moeclip_cli.evaluation.category_metrics import in_percent
from moeclip_cli.evaluation.extreme_scores import at_the_ends, most_misranked
from moeclip_cli.evaluation.ranking import rank
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.inspection.result import Result

SIDE = 24


def auroc(scores, anomalous):
    """AUROC by its definition: the share of pairs in the right order, ties half."""
    scores, anomalous = np.ravel(scores), np.ravel(anomalous).astype(bool)
    difference = scores[anomalous][:, None] - scores[~anomalous][None]
    return 100 * ((difference > 0).mean() + (difference == 0).mean() / 2)


def make(count, seed=0, labels=None):
    """Samples, results and masks in which defects tend to score higher."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2 if labels is None else labels
    for index, label in enumerate(labels):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if label:
            top, left = rng.integers(0, SIDE - 6, 2)
            mask[top : top + 5, left : left + 6] = 1
        probability = (0.4 * rng.random((SIDE, SIDE)) + 0.2 * mask).astype(np.float32)
        raw_map = (12 * rng.normal(size=(SIDE, SIDE)) + 9 * mask).astype(np.float32)
        result = Result(
            f"{index}.png", "object", "model", score=float(probability.max()),
            image_score=float(rng.random() + 0.3 * label), probability=probability, raw_map=raw_map,
        )  # fmt: skip
        yield Sample(Path(f"{index}.png"), int(label), "part"), result, mask


def evaluate(items, protocols=("paper", "deployed"), domain="industrial", masks=True):
    evaluator = CategoryEvaluator(protocols, domain)
    for sample, result, mask in items:
        evaluator.add(sample, result, mask if masks else None)
    return evaluator.results()


def test_metrics_cover_all_images_together():
    items = list(make(12))
    results = evaluate(items)
    labels = [sample.label for sample, _, _ in items]
    masks = [mask for _, _, mask in items]
    deployed = in_percent(results["deployed"].metrics)
    assert deployed["image_auroc"] == pytest.approx(auroc([r.score for _, r, _ in items], labels))
    maps = [result.probability for _, result, _ in items]
    assert deployed["pixel_auroc"] == pytest.approx(auroc(maps, masks))
    paper = in_percent(results["paper"].metrics)
    raw_maps = np.stack([result.raw_map for _, result, _ in items])
    assert paper["pixel_auroc"] == pytest.approx(auroc(raw_maps, masks))
    unit = (raw_maps - raw_maps.min()) / (raw_maps.max() - raw_maps.min())
    scores = np.array([result.image_score for _, result, _ in items])
    if scores.max() > 1:
        scores = (scores - scores.min()) / (scores.max() - scores.min())
    fused = 0.5 * unit.max(axis=(1, 2)) + 0.5 * scores
    assert paper["image_auroc"] == pytest.approx(auroc(fused, labels))


def test_medical_images_are_ranked_by_the_map_maximum():
    items = list(make(12, seed=3))
    labels = [sample.label for sample, _, _ in items]
    paper = in_percent(evaluate(items, domain="medical")["paper"].metrics)
    peaks = [result.raw_map.max() for _, result, _ in items]
    assert paper["image_auroc"] == pytest.approx(auroc(peaks, labels))


def test_a_single_label_has_pixel_metrics_only():
    result = evaluate(make(4, labels=[1, 1, 1, 1]), ["paper"])["paper"]
    metrics = in_percent(result.metrics)
    assert list(metrics) == list(METRICS)
    assert [metrics[name] is None for name in METRICS] == [True] * 3 + [False] * 4
    assert set(result.curves) == {"pixel ROC", "pixel PR"}


def test_images_without_masks_have_image_metrics_only():
    result = evaluate(make(6), ["deployed"], masks=False)["deployed"]
    metrics = in_percent(result.metrics)
    assert [metrics[name] is None for name in METRICS] == [False] * 3 + [True] * 4
    assert set(result.curves) == {"image ROC", "image PR"}
    assert result.localised == ()


def test_badly_localised_defects_are_listed_though_every_image_is_ranked_correctly():
    """A map may be high beside the defect: the image is found for the wrong reason."""
    items = list(make(12))
    for index, (sample, result, mask) in enumerate(items):
        high = np.roll(mask, SIDE // 2, axis=0) if index in (3, 7) else mask
        probability = (0.1 + 0.8 * high + 1e-4 * index).astype(np.float32)
        score = float(probability.max())
        items[index] = sample, replace(result, score=score, probability=probability), mask
    result = evaluate(items, ["deployed"])["deployed"]
    assert in_percent(result.metrics)["image_auroc"] == 100
    assert result.misranked == ()
    assert [each.kind for each in result.localised] == ["worst localised"] * 3 + ["best localised"]
    assert {each.sample.image.name for each in result.localised[:2]} == {"3.png", "7.png"}
    assert result.localised[0].average_precision < 0.1
    assert result.localised[3].average_precision == 1
    assert result.localised[0].probability.shape == (64, 64)


def test_each_protocol_lists_by_its_own_maps():
    items = list(make(12))
    results = evaluate(items)
    for protocol, name in (("paper", "raw_map"), ("deployed", "probability")):
        expected = sorted(
            rank(getattr(result, name).ravel(), mask.ravel()).average_precision()
            for _, result, mask in items
            if mask.any()
        )
        shown = [each.average_precision for each in results[protocol].localised]
        assert shown == pytest.approx([*expected[:3], expected[-1]], abs=1e-3)


def test_without_images_everything_is_undefined():
    for result in evaluate([]).values():
        assert set(in_percent(result.metrics).values()) == {None}
        assert result.curves == {}
        assert result.misranked == result.ranked == result.localised == ()


def test_only_misranked_images_are_listed_worst_first():
    scores = np.array([0.1, 0.9, 0.5, 0.2, 0.8, 0.95])
    anomalous = np.array([False, False, False, True, True, True])
    assert most_misranked(scores, anomalous) == [
        ("false alarm", 1), ("false alarm", 2), ("miss", 3), ("miss", 4),
    ]  # fmt: skip
    assert most_misranked(np.array([0.1, 0.9]), np.array([False, True])) == []
    one_label = most_misranked(np.array([0.3, 0.1]), np.array([True, True]))
    assert one_label == [("miss", 1), ("miss", 0)]


def test_the_ends_of_each_label_complete_the_mistakes():
    scores = np.array([0.1, 0.9, 0.5, 0.2, 0.8, 0.95, 0.3])
    anomalous = np.array([False, False, False, True, True, True, False])
    mistakes = most_misranked(scores, anomalous)
    assert [index for _, index in mistakes] == [1, 2, 6, 3, 4]
    assert at_the_ends(scores, anomalous, mistakes) == [
        ("lowest anomalous", 5), ("lowest normal", 0),
    ]  # fmt: skip
    perfect = np.arange(10) / 10
    halves = perfect >= 0.5
    assert at_the_ends(perfect, halves, most_misranked(perfect, halves)) == [
        ("highest normal", 4), ("highest normal", 3), ("highest normal", 2),
        ("lowest anomalous", 5), ("lowest anomalous", 6), ("lowest anomalous", 7),
        ("highest anomalous", 9), ("lowest normal", 0),
    ]  # fmt: skip
    assert at_the_ends(perfect[:2], halves[:2], most_misranked(perfect[:2], halves[:2])) == []


def test_curves_include_both_ends():
    curves = evaluate(make(10), ["deployed"])["deployed"].curves
    for level in ("image", "pixel"):
        roc = curves[f"{level} ROC"]
        assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
        assert curves[f"{level} PR"].x[-1] == 1


def test_histograms_count_every_image():
    normal, anomalous = evaluate(make(11), ["paper"])["paper"].histogram
    assert (sum(normal), sum(anomalous)) == (6, 5)


@pytest.mark.parametrize("domain", ["industrial", "medical"])
def test_merged_parts_give_the_results_of_the_whole(domain):
    items = list(make(12))
    parts = []
    for start, end in ((0, 5), (5, 5), (5, 12)):
        parts.append(CategoryEvaluator(("paper", "deployed"), domain))
        for item in items[start:end]:
            parts[-1].add(*item)
    whole, *others = (pickle.loads(pickle.dumps(part)) for part in parts)
    for other in others:
        whole.merge(other)
    merged, expected = whole.results(), evaluate(items, domain=domain)
    for protocol in ("paper", "deployed"):
        assert merged[protocol].metrics == expected[protocol].metrics
        assert merged[protocol].curves == expected[protocol].curves
        assert merged[protocol].histogram == expected[protocol].histogram
        ours, theirs = (
            [
                (each.kind, each.sample, each.score, each.probability.tolist())
                for each in (*result.misranked, *result.ranked)
            ]
            for result in (merged[protocol], expected[protocol])
        )
        assert ours == theirs
        ours, theirs = (
            [
                (each.kind, each.sample, each.average_precision, each.probability.tolist())
                for each in result.localised
            ]
            for result in (merged[protocol], expected[protocol])
        )
        assert len(ours) == 4
        assert ours == theirs
