from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image
from support.benchmark_data import own_folder

from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.plan import select_datasets
from moeclip_cli.parallel.versions import torch_versions
from moeclip_cli.runs.benchmark_job import BenchmarkJob, Choices, Execution
from moeclip_cli.runs.benchmark_models import load_models
from moeclip_cli.runs.benchmark_run import claim_folder, evaluate, run_benchmark
from moeclip_cli.runs.environment import describe_environment
from moeclip_cli.runs.run_card import CARD, read_card
from moeclip_cli.runs.stream import Pace


@pytest.fixture(scope="module")
def models(standin):
    return load_models(
        [str(standin.model)] * 2, backbone_weights=standin.backbone, image_size=70, device="cpu"
    )


@pytest.fixture
def job(models, tmp_path):
    folders = [own_folder(tmp_path / name) for name in ("bolts", "nuts")]
    return BenchmarkJob(models[:1], select_datasets([], folders, None), Choices())


def claim(job, out, **options):
    environment = describe_environment("cpu, 1 thread", "a test", torch_versions())
    environment |= {"started": "today", "processes": 1}
    return claim_folder(out, job.settings, environment, **{"overwrite": False} | options)


class Listener:
    """Records what a benchmark reports."""

    def __init__(self):
        self.images, self.categories = 0, []
        self.execution = Execution(Pace(2, 1), advance=self.count, observe=self.note)

    def count(self, images):
        self.images += images

    def note(self, results):
        self.categories += [result.dataset for result in results]


def test_models_with_the_same_name_are_called_by_their_paths(models, standin):
    assert [model.name for model in models] == [str(standin.model)] * 2
    assert [set(model.inspectors) for model in models] == [{"industrial", "medical"}] * 2


def test_tasks_are_ordered_by_dataset(job, models):
    both = replace(job, models=models)
    assert [(task.part.dataset.name, task.number) for task in both.tasks] == [
        ("bolts", 0), ("bolts", 1), ("nuts", 0), ("nuts", 1),
    ]  # fmt: skip
    assert both.images == 2 * job.images == 24


def test_a_benchmark_evaluates_reports_and_finishes_its_card(job, tmp_path):
    listener = Listener()
    report = run_benchmark(job, claim(job, tmp_path / "out"), listener.execution)
    assert [result.dataset for result in report.results] == ["bolts", "nuts"]
    assert (listener.images, listener.categories) == (12, ["bolts", "nuts"])
    assert report.card["environment"]["started"] == "today"
    assert (tmp_path / "out" / "report.html").exists()
    assert read_card(tmp_path / "out")["summary"] == {"images": 12, "failed": 0}


def test_a_mask_that_lies_on_its_side_is_not_compared(models, tmp_path):
    """An image is turned upright by its EXIF orientation, its mask by its own."""
    folder = own_folder(tmp_path / "bolts", per_label=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in (folder / "bad/0.png", folder / "bad/1.png", folder / "masks/1.png"):
        with Image.open(path) as image:
            image.copy().save(path, exif=exif)
    job = BenchmarkJob(models[:1], select_datasets([], [folder], None), Choices())
    report = run_benchmark(job, claim(job, tmp_path / "out"), Execution(Pace(2, 1)))
    (result,) = report.results
    (error,) = result.errors
    assert error.startswith("bad/0.png: The mask has 36 x 28 pixels and lies on its side")
    assert "its image has 28 x 36" in error


def test_kept_results_are_reported_and_not_evaluated_again(job, tmp_path):
    first = evaluate(job.tasks[:1], tmp_path / "out", Execution(Pace(2, 1)))
    kept = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.json")}
    assert len(kept) == 1
    listener = Listener()
    results = evaluate(job.tasks, tmp_path / "out", listener.execution)
    assert results[0] == first[0]
    assert (listener.images, listener.categories) == (12, ["bolts", "nuts"])
    assert all(path.read_bytes() == content for path, content in kept.items())


def test_an_unfinished_benchmark_is_resumed_with_its_first_start_time(job, tmp_path):
    claim(job, tmp_path / "out")
    card = json.loads((tmp_path / "out" / CARD).read_text())
    card["environment"]["started"] = "yesterday"
    (tmp_path / "out" / CARD).write_text(json.dumps(card))
    folder = claim(job, tmp_path / "out")
    assert folder.resumed
    assert folder.card.environment["started"] == "yesterday"
    assert read_card(tmp_path / "out")["environment"] == folder.card.environment
    folder.close()
    with pytest.raises(UsageError, match="mask cut was 0, now it is 128"):
        claim(replace(job, choices=Choices(mask_cut=128)), tmp_path / "out")


def test_a_finished_benchmark_is_replaced_only_on_request(job, tmp_path):
    run_benchmark(job, claim(job, tmp_path / "out"), Listener().execution)
    with pytest.raises(UsageError, match="a finished benchmark; use `overwrite`"):
        claim(job, tmp_path / "out")
    assert not claim(job, tmp_path / "out", overwrite=True).resumed
    assert not (tmp_path / "out" / "results.json").exists()
    assert not (tmp_path / "out" / "categories").exists()
