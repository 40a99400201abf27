from __future__ import annotations

from dataclasses import replace

import pytest

from moeclip_cli.evaluation.lines import ALL_DATASETS, benchmark_lines
from moeclip_cli.evaluation.published import ANOMALY_DINO, ANOMALY_DINO_BATCHED, published_results
from moeclip_cli.evaluation.results import METRICS, CategoryResult, Evaluation


def result(title, category, model="mini", **by_protocol):
    """A result with one value for all metrics of a protocol, or with a value for each."""
    evaluations = {}
    for protocol, value in by_protocol.items():
        values = value if isinstance(value, dict) else dict.fromkeys(METRICS, value)
        metrics = {name: values.get(name) for name in METRICS}
        evaluations[protocol] = Evaluation(metrics, 0.0, {}, ((1,), (1,)), ())
    return CategoryResult(
        model, title.casefold(), title, category, "object", 1, 2, 2, (), (), evaluations
    )


def shot(title, category, shots, draws, protocol="deployed"):
    """A few-shot result with one value for all metrics of each draw."""
    found = tuple(dict.fromkeys(METRICS, value) for value in draws)
    mean = dict.fromkeys(METRICS, sum(draws) / len(draws))
    evaluation = Evaluation(mean, 0.0, {}, ((1,), (1,)), (), found)
    return replace(result(title, category), evaluations={protocol: evaluation}, shots=shots)


def find(lines, **wanted):
    return [line for line in lines if all(getattr(line, k) == v for k, v in wanted.items())]


def test_a_dataset_is_the_plain_mean_of_its_categories_and_compared_with_the_published_one():
    lines = benchmark_lines(
        [result("MVTec", "bottle", paper=90.0), result("MVTec", "cable", paper=70.0)], compare=False
    )
    (mean,) = find(lines, kind="mean")
    assert mean.values == dict.fromkeys(METRICS, 80.0)
    assert (mean.normal, mean.anomalous) == (2, 4)
    (published,) = find(lines, kind="published")
    assert (published.values["image_auroc"], published.values["image_f1_max"]) == (93.9, None)
    (difference,) = find(lines, kind="difference")
    assert difference.values["image_auroc"] == pytest.approx(80 - 93.9)
    assert difference.values["pixel_pro"] is None


def test_undefined_values_are_excluded_from_means():
    lines = benchmark_lines(
        [
            result("Mine", "a", deployed={"image_auroc": 60.0}),
            result("Mine", "b", deployed={"pixel_auroc": 50.0}),
        ],
        compare=False,
    )
    (mean,) = find(lines, kind="mean")
    assert (mean.values["image_auroc"], mean.values["pixel_auroc"]) == (60, 50)
    assert mean.values["image_ap"] is None
    assert find(lines, kind="published") == []


def test_only_datasets_that_are_published_and_evaluated_are_compared():
    head = {"image_auroc": 96.6, "image_ap": 94.5}
    colon = {"pixel_auroc": 80.0, "pixel_ap": 30.0}
    lines = benchmark_lines(
        [
            result("Head CT", "headct", paper=head),
            result("ColonDB", "ColonDB", paper=colon),
            result("Mine", "part", deployed=10.0),
        ],
        compare=False,
    )
    (mean,) = find(lines, kind="mean", dataset=ALL_DATASETS, protocol="paper")
    assert (mean.values["image_auroc"], mean.values["pixel_auroc"]) == (96.6, 80)
    (published,) = find(lines, kind="published", dataset=ALL_DATASETS)
    assert (published.values["image_auroc"], published.values["pixel_auroc"]) == (96.6, 85.4)
    (difference,) = find(lines, kind="difference", dataset=ALL_DATASETS)
    assert difference.values["image_auroc"] == pytest.approx(0)
    assert difference.values["pixel_auroc"] == pytest.approx(-5.4)


def test_both_protocols_show_their_difference():
    lines = benchmark_lines([result("Mine", "part", paper=90.0, deployed=88.5)], compare=False)
    (loss,) = find(lines, kind="difference", protocol="deployed - paper")
    assert loss.values["pixel_ap"] == pytest.approx(-1.5)


def test_deployed_results_are_compared_if_there_are_no_others():
    lines = benchmark_lines([result("MVTec", "bottle", deployed=90.0)], compare=False)
    (difference,) = find(lines, kind="difference")
    assert difference.protocol == "deployed - MoECLIP published"
    assert difference.values["image_auroc"] == pytest.approx(90 - 93.9)


def test_models_are_listed_side_by_side():
    lines = benchmark_lines(
        [
            result("MVTec", "bottle", "one", paper=50.0),
            result("MVTec", "bottle", "two", paper=60.0),
            result("MVTec", "cable", "one", paper=70.0),
            result("MVTec", "cable", "two", paper=90.0),
        ],
        compare=True,
    )
    shown = [(line.category, line.model) for line in find(lines, kind="category")]
    assert shown == [("bottle", "one"), ("bottle", "two"), ("cable", "one"), ("cable", "two")]
    means = {line.model: line.values["image_ap"] for line in find(lines, kind="mean")}
    assert means == {"one": 60, "two": 75}
    assert len(find(lines, kind="published")) == 7
    assert [line.model for line in find(lines, kind="difference")] == ["one", "two"]


def test_published_results_have_the_averages_of_the_paper():
    for method, image, pixel in (("MoECLIP", 89.6, 94.3), ("AA-CLIP", 85.5, 93.2)):
        table = published_results()[method].values()
        for name, average, count in (("image_auroc", image, 9), ("pixel_auroc", pixel, 13)):
            values = [row[name] for row in table if name in row]
            assert len(values) == count
            assert sum(values) / count == pytest.approx(average, abs=0.0501)


def test_the_deviation_of_a_dataset_is_that_of_its_mean_over_draws():
    lines = benchmark_lines(
        [
            shot("Mine", "a", 1, [50.0, 60.0, 70.0]),
            shot("Mine", "a", 4, [80.0, 80.0, 80.0]),
            shot("Mine", "b", 1, [70.0, 60.0, 50.0]),
            shot("Mine", "b", 4, [90.0, 90.0, 96.0]),
        ],
        compare=False,
    )
    one, four = find(lines, kind="mean")
    assert (one.shots, one.values["image_ap"], one.deviations["image_ap"]) == (1, 60.0, 0.0)
    assert (four.shots, four.values["pixel_pro"]) == (4, 86.0)
    assert [draw["image_f1_max"] for draw in four.draws] == [85.0, 85.0, 88.0]
    assert four.deviations["image_f1_max"] == pytest.approx(3**0.5)
    assert find(lines, category="a", shots=1)[0].deviations["image_ap"] == pytest.approx(10)
    (single,) = find(benchmark_lines([shot("Mine", "a", 1, [50.0])], compare=False), kind="mean")
    assert set(single.deviations.values()) == {None}


def test_few_shot_results_are_beside_published_ones_at_the_same_shots():
    results = [shot("MVTec", "a", 1, [90.0]), shot("MVTec", "a", 2, [92.0])]
    lines = benchmark_lines(results, compare=False)
    assert [line.model for line in find(lines, kind="published")] == [ANOMALY_DINO]
    assert find(lines, kind="difference") == []
    compared = find(benchmark_lines(results, compare=True), kind="published")
    assert {line.shots for line in compared} == {1, "all", "test"}
    assert all(line.source for line in compared)
    own = benchmark_lines([shot("Mine", "a", 1, [90.0])], compare=True)
    assert find(own, kind="published") == []


def test_results_of_a_comparison_with_each_other_are_beside_published_batched_ones():
    results = [replace(result("VisA", "pcb1", paper=90.0, deployed=91.5), shots="test")]
    lines = benchmark_lines(results, compare=False)
    (published,) = find(lines, kind="published")
    assert (published.model, published.shots) == (ANOMALY_DINO_BATCHED, "test")
    (difference,) = find(lines, kind="difference")
    assert (difference.protocol, difference.values["image_ap"]) == ("deployed - paper", 1.5)
    compared = find(benchmark_lines(results, compare=True), kind="published")
    assert {line.shots for line in compared} == {"test"}
    assert any(line.model.startswith("MuSc") for line in compared)


def test_results_with_references_are_not_beside_zero_shot_ones():
    lines = benchmark_lines(
        [result("MVTec", "bottle", deployed=90.0)], compare=True, zero_shot=False
    )
    assert [line.kind for line in lines] == ["category", "mean"]
