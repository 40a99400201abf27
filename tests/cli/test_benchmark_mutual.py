"""`moeclip benchmark --mutual`: the test images of each category are compared with each other."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.benchmark_data import OUT, build_all, numbers, own_folder, read
from support.outputs import auroc, scored

from moeclip_cli.evaluation.category import BINS

FILES = ("results.json", "results.csv", "results.md", "report.html")


@pytest.fixture
def benchmark(benchmark):
    return partial(benchmark, "--mutual")


@pytest.fixture
def pair(tmp_path):
    """Two categories of own data, with six images each."""
    return [own_folder(tmp_path / name) for name in ("bolt", "nut")]


def test_the_numbers_are_those_of_score_and_every_table_names_the_mode(
    benchmark, moeclip, standin, tmp_path
):
    data = own_folder(tmp_path / "parts", per_label=5)
    shutil.copy(data / "bad" / "0.png", data / "good" / "0.png")
    result = benchmark("--data", data, "--protocol", "both")
    assert result.exit_code == 0, result.stderr
    (category,) = read()["categories"]
    assert (category["model"], category["shots"]) == ("standin.pth, mutual", "test")
    done = moeclip("score", "parts/good", "parts/bad", "--mutual", *standin.options)
    assert done.exit_code == 0, done.stderr
    rows = scored()
    found = category["evaluations"]["deployed"]["metrics"]
    assert found["image_auroc"] == pytest.approx(auroc(rows), abs=1e-4)
    assert 50 < found["image_auroc"] < 100
    assert found["pixel_pro"] is not None
    histogram = category["evaluations"]["deployed"]["histogram"]
    for label, counts in enumerate(histogram):
        scores = [score for score, anomalous in rows if anomalous == label]
        assert counts == np.histogram(scores, BINS, (0, 1))[0].tolist()
    lines = [(line["kind"], line["protocol"]) for line in read()["lines"]]
    assert ("difference", "deployed - paper") in lines
    for text in (result.stdout, *((OUT / name).read_text(encoding="utf-8") for name in FILES)):
        assert "standin.pth, mutual" in text
    settings = read()["card"]["settings"]
    assert (settings["mode"], settings["subset_size"], settings["seed"]) == ("mutual", 200, 0)
    assert settings["windows"] == [1, 3, 5]
    assert len(settings["layers"]) == 1


def test_published_batched_results_are_shown_beside_ours(benchmark, tmp_path):
    build_all(tmp_path / "data", names=("mvtec",), per_label=1)
    result = benchmark("mvtec")
    assert result.exit_code == 0, result.stderr
    (published,) = [line for line in read()["lines"] if line["kind"] == "published"]
    assert published["model"] == "AnomalyDINO batched (DINOv2 ViT-S/14, 448 px)"
    assert (published["shots"], published["values"]["image_auroc"]) == ("test", 93.0)
    assert read()["card"]["settings"]["protocol"] == "deployed"
    for text in (result.stdout, *((OUT / name).read_text(encoding="utf-8") for name in FILES)):
        assert "AnomalyDINO batched (DINOv2" in text
        assert "Damm et al." in text
    for kept in (OUT / "categories").rglob("*.json"):
        assert json.loads(kept.read_text())["results"][0]["shots"] == "test"


def test_unreadable_images_are_left_out_of_the_comparison(benchmark, pair):
    bolt, nut = pair
    (bolt / "good" / "0.png").write_bytes(b"nothing")
    for path in [*(nut / "good").iterdir(), *(nut / "bad").iterdir()][1:]:
        path.write_bytes(b"nothing")
    result = benchmark("--data", bolt, "--data", nut)
    assert result.exit_code == 3, result.stderr
    one, other = read()["categories"]
    assert (one["normal"], one["anomalous"], len(one["errors"])) == (2, 3, 1)
    assert one["evaluations"]["deployed"]["metrics"]["image_auroc"] is not None
    assert len(other["errors"]) == 6
    assert other["notes"][0] == "no metrics: fewer than two images could be read"
    assert other["evaluations"]["deployed"]["metrics"]["image_auroc"] is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--shots", "1"], "omit it or --shots"),
        (["--reference", "parts/good"], "omit it or --reference"),
        (["--self-check"], "--self-check takes"),
    ],
)
def test_other_comparisons_are_refused(moeclip, tmp_path, args, message):
    own_folder(tmp_path / "parts")
    data = [] if "--self-check" in args else ["--data", "parts"]
    result = moeclip("benchmark", "--mutual", *data, *args, "--device", "cpu")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not OUT.exists()


def test_the_default_model_is_the_frozen_tower(moeclip, tmp_path):
    own_folder(tmp_path / "parts", per_label=1)
    args = ["--data", "parts", "--mutual", "--image-size", "70", "--device", "cpu", "--quiet"]
    assert moeclip("benchmark", *args).exit_code == 0
    assert {line["model"] for line in read()["lines"]} == {"dinov2-vits14, mutual"}


def test_a_stopped_run_keeps_finished_categories_and_refuses_another_mode(
    benchmark, moeclip, standin, pair
):
    args = ["--data", pair[0], "--data", pair[1]]
    assert benchmark(*args).exit_code == 0
    whole = numbers(OUT)
    card = json.loads((OUT / "run.json").read_text())
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running"}))
    kept, lost = sorted((OUT / "categories").rglob("*.json"))
    lost.unlink()
    before = kept.stat().st_mtime_ns
    plain = moeclip("benchmark", *args, *standin.options)
    assert plain.exit_code == 2
    assert "cannot be resumed: its layers was" in " ".join(plain.stderr.split())
    changed = card["settings"] | {"subset_size": 100}
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running", "settings": changed}))
    refused = benchmark(*args)
    assert refused.exit_code == 2
    assert "subset size was 100, now it is 200" in " ".join(refused.stderr.split())
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running"}))
    assert benchmark(*args).exit_code == 0
    assert kept.stat().st_mtime_ns == before
    assert numbers(OUT) == whole


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(start_moeclip, moeclip, standin, tmp_path):
    data = [own_folder(tmp_path / name, per_label=2) for name in ("a", "b", "c", "d", "e")]
    args = ["benchmark", "--mutual", *(part for path in data for part in ("--data", path))]
    args += ["--protocol", "both", "--workers", "1", *standin.options]
    process = start_moeclip(*args, "--processes", "2", "--out", "two")
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert moeclip(*args, "--out", "one").exit_code == 0
    assert numbers(Path("two")) == numbers(Path("one"))
