from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from support.benchmark_data import own_folder

from moeclip_cli.evaluation.plan import parts, select_datasets
from moeclip_cli.runs.benchmark_job import Execution, Task
from moeclip_cli.runs.benchmark_models import BenchmarkedModel
from moeclip_cli.runs.benchmark_run import evaluate
from moeclip_cli.runs.benchmark_store import CategoryFile
from moeclip_cli.runs.stream import Pace


@pytest.fixture
def task(inspector, tmp_path):
    model = BenchmarkedModel(
        "standin", inspector.model, {"digest": "0" * 64}, {"industrial": inspector}
    )
    (dataset,) = select_datasets([], [own_folder(tmp_path / "bolts")], None).datasets
    (part,) = parts(dataset, None, None)
    return Task(0, model, part, mask_cut=0)


def test_a_result_is_read_back_as_it_was_written(task, tmp_path):
    (result,) = evaluate([task], tmp_path / "out", Execution(Pace(2, 1)))
    file = CategoryFile.of(tmp_path / "out", task)
    assert file.path == tmp_path / "out" / "categories" / "00" / "bolts" / "bolts%.json"
    assert file.read() == [result]


def test_a_result_of_an_earlier_version_is_read(task, tmp_path):
    """It has no localised images; everything else is kept."""
    (result,) = evaluate([task], tmp_path / "out", Execution(Pace(2, 1)))
    file = CategoryFile.of(tmp_path / "out", task)
    content = json.loads(file.path.read_bytes())
    assert content["results"][0]["evaluations"]["deployed"].pop("localised")
    file.path.write_text(json.dumps(content))
    evaluation = replace(result.evaluations["deployed"], localised=())
    assert file.read() == [replace(result, evaluations={"deployed": evaluation})]


def test_another_fingerprint_hides_the_result(task, tmp_path):
    evaluate([task], tmp_path / "out", Execution(Pace(2, 1)))
    model = task.model
    for other in (
        replace(task, mask_cut=128),
        replace(task, model=replace(model, identity={"digest": "1" * 64})),
        replace(task, part=replace(task.part, prompt="nut")),
        replace(task, part=replace(task.part, samples=task.part.samples[:-1])),
    ):
        assert CategoryFile.of(tmp_path / "out", other).read() is None
    assert CategoryFile.of(tmp_path / "out", task).read() is not None
    shutil.copy(tmp_path / "bolts" / "good" / "0.png", tmp_path / "bolts" / "good" / "1.png")
    assert CategoryFile.of(tmp_path / "out", task).read() is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"fingerprint": "x"}', b"\xff"])
def test_a_corrupt_file_is_not_a_result(task, tmp_path, content):
    file = CategoryFile.of(tmp_path / "out", task)
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(content)
    assert file.read() is None
