from __future__ import annotations

from dataclasses import replace

import pytest
from support.benchmark_data import add_training, build_all

from moeclip_cli.evaluation.plan import select_datasets
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.evaluation.shots import FewShot
from moeclip_cli.runs.benchmark_job import BenchmarkJob, Choices, Execution
from moeclip_cli.runs.benchmark_models import Comparison, load_models
from moeclip_cli.runs.benchmark_run import evaluate
from moeclip_cli.runs.stream import Pace


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    tree = build_all(tmp_path_factory.mktemp("data"), names=("mvtec",), per_label=3)
    add_training(tree / "MVTec", images=3)
    return tree


@pytest.fixture(scope="module")
def selection(data):
    found = select_datasets(["mvtec"], [], data)
    (dataset,) = found.datasets
    samples = tuple(sample for sample in dataset.samples if sample.category == "bottle")
    return replace(found, datasets=(replace(dataset, samples=samples),))


@pytest.fixture(scope="module")
def load(standin):
    def loaded(comparison):
        return load_models(
            [str(standin.model)],
            comparison=comparison,
            backbone_weights=standin.backbone,
            image_size=70,
            device="cpu",
        )

    return loaded


def results(job, folder, batch_size=2):
    return evaluate(job.tasks, folder, Execution(Pace(batch_size, 1)))


@pytest.fixture
def job(load, selection):
    choices = Choices("both", few_shot=FewShot((1, 2), 2))
    return BenchmarkJob(load(Comparison()), selection, choices)


def test_the_batch_size_changes_no_number(job, tmp_path):
    expected = results(job, tmp_path / "one", 1)
    assert [result.shots for result in expected] == [1, 2]
    for size in (2, 5):
        for found, other in zip(results(job, tmp_path / str(size), size), expected, strict=True):
            assert found.references == other.references
            for protocol, evaluation in found.evaluations.items():
                assert evaluation.draws == other.evaluations[protocol].draws


def test_all_metrics_of_a_draw_are_those_of_a_benchmark_with_its_references(
    job, load, selection, tmp_path
):
    """The other way: maps that come straight from an inspector with these references."""
    root = selection.datasets[0].root
    for result in results(job, tmp_path / "shots"):
        for number, names in enumerate(result.references):
            models = load(Comparison([root / name for name in names]))
            choices = Choices("both", own_references=True)
            one = BenchmarkJob(models, selection, choices)
            (expected,) = results(one, tmp_path / f"{result.shots}-{number}")
            for protocol, evaluation in result.evaluations.items():
                wanted = expected.evaluations[protocol].metrics
                for name in METRICS:
                    assert evaluation.draws[number][name] == pytest.approx(wanted[name], abs=1e-3)
