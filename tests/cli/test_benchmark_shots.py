"""`moeclip benchmark` with references: few-shot results, and own good parts."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import time
from pathlib import Path

import pytest
from support.benchmark_data import OUT, add_training, build_all, numbers, own_folder, read
from support.outputs import auroc, scored

FILES = ("results.json", "results.csv", "results.md")
MVTEC_FOLDERS = {"good": "test/good", "bad": "test/bad", "masks": "ground_truth/bad"}


@pytest.fixture
def shop(tmp_path):
    """Own data in MVTec's layout: two categories with six test images and training images."""
    for name, count in (("bolt", 4), ("nut", 2)):
        own_folder(tmp_path / "made")
        folder = tmp_path / "shop" / name
        for source, target in MVTEC_FOLDERS.items():
            shutil.copytree(tmp_path / "made" / source, folder / target)
        add_training(folder.parent, images=4)
        for path in sorted((folder / "train" / "good").iterdir())[count:]:
            path.unlink()
    return tmp_path / "shop"


def test_a_draw_gives_the_numbers_of_score_with_the_same_references(
    benchmark, moeclip, standin, shop
):
    assert benchmark("--data", shop, "--shots", "2,1", "--draws", "2").exit_code == 0
    results = [each for each in read()["categories"] if each["category"] == "bolt"]
    assert [each["shots"] for each in results] == [1, 2]
    for result in results:
        draws = result["evaluations"]["deployed"]["draws"]
        assert len(draws) == len(result["references"]) == 2
        for names, values in zip(result["references"], draws, strict=True):
            references = [option for name in names for option in ("--reference", shop / name)]
            done = moeclip("score", "shop/bolt/test", *references, *standin.options, "--overwrite")
            assert done.exit_code == 0, done.stderr
            assert values["image_auroc"] == pytest.approx(auroc(scored()), abs=1e-4)
    means = [each["evaluations"]["deployed"]["metrics"]["image_auroc"] for each in results]
    for mean, result in zip(means, results, strict=True):
        values = [draw["image_auroc"] for draw in result["evaluations"]["deployed"]["draws"]]
        assert mean == pytest.approx(sum(values) / 2, abs=1e-5)


def test_all_files_show_means_deviations_and_what_was_left_out(benchmark, shop):
    own_folder(shop.parent / "pair")
    result = benchmark("--data", shop, "--data", "pair", "--shots", "1,3", "--draws", "3")
    assert result.exit_code == 0, result.stderr
    said = " ".join(result.stderr.split())
    assert "shop, nut is left out at 3 shots: it has only 2 good training images." in said
    assert "pair is skipped: it has no good training images" in said
    lines = read()["lines"]
    assert {line["dataset"] for line in lines} == {"shop"}
    places = [(line["category"], line["shots"]) for line in lines]
    assert places == [("bolt", 1), ("bolt", 3), ("nut", 1), ("mean", 1), ("mean", 3)]
    mean = lines[3]
    of_draws = [
        sum(line["draws"][draw]["image_auroc"] for line in (lines[0], lines[2])) / 2
        for draw in range(3)
    ]
    assert [draw["image_auroc"] for draw in mean["draws"]] == pytest.approx(of_draws, abs=1e-5)
    assert mean["deviations"]["image_auroc"] is not None
    settings = read()["card"]["settings"]
    assert (settings["shots"], settings["draws"], settings["seed"]) == ([1, 3], 3, 0)
    assert settings["protocol"] == "deployed"
    cell = f"{mean['values']['image_auroc']:.1f} ± {mean['deviations']['image_auroc']:.1f}"
    files = [(OUT / name).read_text(encoding="utf-8") for name in ("results.md", "report.html")]
    for text in (result.stdout, *files):
        assert cell in text
        assert "over 3 draws" in text
    with (OUT / "results.csv").open(encoding="utf-8", newline="") as stream:
        row = list(csv.DictReader(stream))[3]
    assert (row["shots"], row["draws"]) == ("1", "3")
    assert float(row["image_auroc_sd"]) == mean["deviations"]["image_auroc"]


def test_published_few_shot_results_are_shown_beside_ours(benchmark, tmp_path):
    tree = build_all(tmp_path / "data", names=("mvtec",), per_label=1)
    add_training(tree / "MVTec", images=1)
    result = benchmark("mvtec", "--shots", "1,16", "--draws", "1")
    assert result.exit_code == 0, result.stderr
    (published,) = [line for line in read()["lines"] if line["kind"] == "published"]
    assert published["model"] == "AnomalyDINO (DINOv2 ViT-S/14, 448 px)"
    assert (published["shots"], published["values"]["image_auroc"]) == (1, 96.5)
    for text in (result.stdout, *((OUT / name).read_text(encoding="utf-8") for name in FILES)):
        assert "AnomalyDINO (DINOv2" in text
        assert "Damm et al." in text
    assert "Published results are the claims of their papers" in result.stdout
    args = ("mvtec", "--shots", "1", "--draws", "1", "--compare", "--overwrite")
    assert benchmark(*args).exit_code == 0
    published = [line["model"] for line in read()["lines"] if line["kind"] == "published"]
    shown = {model.split(" (")[0] for model in published}
    assert shown == {
        "AnomalyDINO", "WinCLIP+", "PromptAD", "SubspaceAD", "UniADet", "Dinomaly",
        "AnomalyDINO batched", "SubspaceAD batched", "MuSc", "RareCLIP",
    }  # fmt: skip


def test_own_good_parts_are_the_references_of_all_categories(benchmark, moeclip, standin, tmp_path):
    own_folder(tmp_path / "parts")
    references = ["--reference", "parts/good/0.png", "--reference", "parts/good/1.png"]
    result = benchmark("--data", "parts", *references)
    assert result.exit_code == 0, result.stderr
    (category,) = read()["categories"]
    assert category["normal"] == 3
    assert "shots" not in category
    done = moeclip("score", "parts/good", "parts/bad", *references, *standin.options)
    assert done.exit_code == 0, done.stderr
    found = category["evaluations"]["deployed"]["metrics"]["image_auroc"]
    assert found == pytest.approx(auroc(scored()), abs=1e-4)
    assert read()["card"]["settings"]["references"] is not None


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--shots", "1", "--reference", "parts/good"], 2, "omit --reference"),
        (["--shots", "0,1"], 2, "--shots takes ascending numbers of references from 1"),
        (["--shots", ""], 2, "--shots takes"),
        (["--shots", "1"], 4, "next to the test folder, or give good parts as --reference"),
        (["--reference", "nowhere"], 2, "nowhere"),
        (["--model", "dinov2-vits14"], 2, "--shots"),
        (["--draws", "3"], 2, "--draws repeats the evaluation of --shots"),
        (["--mutual", "--reference-rotations", "8"], 2, "add --reference or --shots"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_sentence_and_leaves_nothing(moeclip, tmp_path, args, code, message):
    own_folder(tmp_path / "parts")
    result = moeclip(
        "benchmark", "--data", "parts", "--image-size", "112", "--device", "cpu", *args
    )
    assert result.exit_code == code, result.stderr
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not OUT.exists()


def test_the_default_model_is_the_frozen_tower(moeclip, shop):
    args = ["--data", shop, "--shots", "1", "--draws", "1", "--limit", "2", "--image-size", "70"]
    assert moeclip("benchmark", *args, "--device", "cpu", "--quiet").exit_code == 0
    assert {line["model"] for line in read()["lines"]} == {"dinov2-vits14"}
    assert all(line["draws"] and not any(line["deviations"].values()) for line in read()["lines"])


def test_a_test_image_that_is_the_only_reference_is_left_out(benchmark, shop):
    for path in (shop / "nut" / "train" / "good").iterdir():
        shutil.copy(shop / "nut" / "test" / "good" / "0.png", path)
    result = benchmark("--data", shop, "--shots", "1", "--draws", "1")
    assert result.exit_code == 3, result.stderr
    nut = next(each for each in read()["categories"] if each["category"] == "nut")
    assert (nut["normal"], nut["anomalous"]) == (2, 3)
    assert "only reference of a draw" in nut["errors"][0]


def command(standin, data):
    return [
        "benchmark", "--data", str(data), "--shots", "1,2", "--draws", "3", "--batch-size", "1",
        "--workers", "1", *standin.options,
    ]  # fmt: skip


@pytest.mark.parametrize("finished", [0, 1])
def test_a_killed_run_goes_on_and_ends_with_the_same_files(
    moeclip, start_moeclip, standin, shop, finished
):
    args = command(standin, shop)
    assert moeclip(*args, "--out", "whole").exit_code == 0
    process = start_moeclip(*args)
    deadline = time.monotonic() + 120
    while not (OUT / "run.json").exists() or len(list(OUT.rglob("*/shop/*.json"))) < finished:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in OUT.rglob("*/shop/*.json")}
    for other, message in (
        (["--draws", "2"], "draws was 3, now it is 2"),
        (["--shots", "1,2,3"], "shots was"),
        (["--reference-rotations", "2"], "reference rotations was 1, now it is 2"),
    ):
        refused = moeclip(*args, *other)
        assert refused.exit_code == 2
        assert message in " ".join(refused.stderr.split())
    assert moeclip(*args).exit_code == 0
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    assert numbers(OUT) == numbers(Path("whole"))


def test_a_changed_reference_is_drawn_and_evaluated_again(moeclip, standin, shop):
    args = command(standin, shop)
    assert moeclip(*args).exit_code == 0
    before = numbers(OUT)["categories"]
    card = json.loads((OUT / "run.json").read_text())
    (OUT / "run.json").write_text(json.dumps(card | {"state": "running"}))
    for path in (shop / "nut" / "train" / "good").iterdir():
        shutil.copy(shop / "nut" / "test" / "bad" / "0.png", path)
        shutil.copy(shop / "bolt" / "train" / "good" / "000.png", path)
    assert moeclip(*args).exit_code == 0
    after = numbers(OUT)["categories"]
    assert [each["category"] for each in after] == ["bolt", "bolt", "nut", "nut"]
    assert after[:2] == before[:2]
    assert after[2:] != before[2:]


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(start_moeclip, moeclip, standin, shop):
    args = command(standin, shop)
    process = start_moeclip(*args, "--processes", "2", "--out", "two")
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert moeclip(*args, "--out", "one").exit_code == 0
    assert numbers(Path("two")) == numbers(Path("one"))
