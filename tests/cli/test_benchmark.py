"""`moeclip benchmark`: datasets, models, numbers and refusals."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from support.benchmark_data import OUT, build_all, find, own_folder, read

FILES = ("results.json", "results.csv", "results.md", "report.html")
PIXEL_ONLY = ("ColonDB", "ClinicDB", "CVC-300", "Kvasir", "Endo")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return build_all(tmp_path_factory.mktemp("data"))


def test_all_14_datasets_end_to_end_with_the_built_in_model(moeclip, tree):
    options = [
        "--compare", "--protocol", "both", "--device", "cpu", "--image-size", "128",
        "--model", "moeclip-mini",
    ]  # fmt: skip
    result = moeclip("benchmark", "--all", "--data-root", tree, *options)
    assert result.exit_code == 0, result.stderr
    content = read()
    means = [line for line in content["lines"] if line["kind"] == "mean"]
    assert len(means) == 2 * 15
    for line in means:
        values = line["values"]
        image = [value for name, value in values.items() if name.startswith("image")]
        pixel = [value for name, value in values.items() if name.startswith("pixel")]
        if line["dataset"] in PIXEL_ONLY:
            assert image == [None] * 3
        else:
            assert all(0 <= value <= 100 for value in image)
        if line["dataset"] == "Head CT":
            assert pixel == [None] * 4
        else:
            assert all(0 <= value <= 100 for value in pixel)
    variants = {line["category"] for line in content["lines"] if line["dataset"] == "DTD-Synthetic"}
    assert "Woven_001" in variants
    assert len(variants - {"mean"}) == 12
    published = {line["model"] for line in content["lines"] if line["kind"] == "published"}
    assert len(published) == 7
    assert find(dataset="MVTec", model="MoECLIP")["image_auroc"] == 93.9
    ours = find(dataset="MVTec", kind="mean", protocol="paper")["image_auroc"]
    difference = find(dataset="MVTec", kind="difference", protocol="paper - MoECLIP published")
    assert difference["image_auroc"] == pytest.approx(ours - 93.9, abs=1e-5)
    assert difference["image_f1_max"] is None
    for title in ("Brain MRI", "All datasets", "image AUROC"):
        assert title in result.stdout
    assert "MVTec is not the published test split: bottle has 2 normal" in result.stderr
    assert "\x1b" not in result.stdout


def test_the_paper_prompts_and_counts_are_on_the_card(benchmark, tree):
    result = benchmark("headct", "--data-root", tree)
    assert result.exit_code == 0, result.stderr
    content = read()
    (category,) = content["categories"]
    assert category["prompt"] != "headct"
    assert (category["normal"], category["anomalous"], category["masks"]) == (2, 2, 0)
    assert "no pixel metrics" in category["notes"][0]
    assert "Head CT, headct: no pixel metrics: there are no masks." in result.stderr
    (model,) = content["card"]["models"]
    assert len(model["digest"]) == 64
    assert model["configuration"]["network"]["experts"] == 4
    assert content["card"]["datasets"][0]["expected"] == [100, 100]
    assert content["card"]["settings"]["precision"] == "float32"
    for name in FILES:
        text = (OUT / name).read_text(encoding="utf-8")
        assert model["digest"] in text
        assert "cpu" in text
    with (OUT / "results.csv").open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream))
    assert row["pixel_auroc"] == ""
    assert float(row["image_auroc"]) == find(kind="category")["image_auroc"]
    assert " - |" in (OUT / "results.md").read_text(encoding="utf-8")


def test_own_data_by_the_scores_that_a_user_gets(benchmark, moeclip, standin, tmp_path):
    folder = own_folder(tmp_path / "brackets")
    result = benchmark("--data", folder, "--prompt", "metal bracket")
    assert result.exit_code == 0, result.stderr
    (category,) = read()["categories"]
    assert category["prompt"] == "metal bracket"
    assert set(category["evaluations"]) == {"deployed"}
    score = ["score", "brackets/good", "brackets/bad", *standin.options]
    moeclip(*score, "--prompt", "metal bracket")
    with Path("moeclip-out/results.csv").open(encoding="utf-8", newline="") as stream:
        scores = [(float(row["score"]), "bad" in row["path"]) for row in csv.DictReader(stream)]
    pairs = [
        (bad > good) + (bad == good) / 2
        for bad, anomalous in scores
        if anomalous
        for good, other in scores
        if not other
    ]
    auroc = category["evaluations"]["deployed"]["metrics"]["image_auroc"]
    assert auroc == pytest.approx(100 * sum(pairs) / len(pairs), abs=1e-4)


def test_several_models_side_by_side(moeclip, standin, tmp_path):
    import torch
    from support.standins import authors_checkpoint

    torch.save(authors_checkpoint("small", seed=1), tmp_path / "other.pth")
    own_folder(tmp_path / "parts")
    args = ["--data", "parts", "--model", "other.pth", *standin.options]
    assert moeclip("benchmark", *args).exit_code == 0
    lines = [line for line in read()["lines"] if line["kind"] == "category"]
    assert [line["model"] for line in lines] == ["other.pth", "standin.pth"]
    assert lines[0]["values"] != lines[1]["values"]


def test_a_backbone_file_is_for_the_models_that_need_one(moeclip, standin, tmp_path):
    own_folder(tmp_path / "parts", per_label=1)
    options = ["--backbone-weights", standin.backbone, "--image-size", "112", "--device", "cpu"]
    run = ["benchmark", "--data", "parts", *options, "--model", "moeclip-mini"]
    result = moeclip(*run, "--model", standin.model)
    assert result.exit_code == 0, result.stderr
    assert [model["name"] for model in read()["card"]["models"]] == ["moeclip-mini", "standin.pth"]
    alone = moeclip(*run, "--overwrite")
    assert alone.exit_code == 4
    assert "Omit --backbone-weights: that backbone is part of moeclip." in alone.stderr
    useless = moeclip(*run, "--model", "moeclip-small", "--overwrite")
    assert useless.exit_code == 2
    assert "All models are on backbones of moeclip; omit --backbone-weights." in useless.stderr


def test_an_unreadable_image_is_left_out_and_named(benchmark, tmp_path):
    folder = own_folder(tmp_path / "parts")
    (folder / "bad" / "1.png").write_bytes(b"not a picture")
    (folder / "masks" / "2.png").write_bytes(b"nor this")
    result = benchmark("--data", folder)
    assert result.exit_code == 3, result.stderr
    (category,) = read()["categories"]
    assert (category["normal"], category["anomalous"]) == (3, 1)
    assert [error.split(":")[0] for error in category["errors"]] == ["bad/1.png", "bad/2.png"]
    assert "bad/1.png" in result.stderr
    assert "2 images were left out" in (OUT / "report.html").read_text(encoding="utf-8")


def test_quiet_says_nothing(benchmark, tmp_path):
    result = benchmark("--data", own_folder(tmp_path / "parts"), "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert find(kind="category")["image_auroc"] is not None


def test_limit_takes_both_labels(benchmark, tree):
    assert benchmark("btad", "--data-root", tree, "--limit", "2").exit_code == 0
    for category in read()["categories"]:
        assert (category["normal"], category["anomalous"]) == (1, 1)
    assert "not comparable" in (OUT / "results.md").read_text(encoding="utf-8")


def test_missing_datasets_are_listed_and_not_failed(benchmark, tmp_path):
    build_all(tmp_path / "data", names=("rsdd",))
    result = benchmark("--all")
    assert result.exit_code == 0, result.stderr
    assert "MVTec was not found; get it from https://" in result.stderr
    (tmp_path / "data" / "Endo").mkdir()
    result = benchmark("--all", "--overwrite")
    assert result.exit_code == 4
    assert "Endo" in result.stderr
    assert {line["dataset"] for line in read()["lines"]} == {"RSDD"}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "--all"),
        (["--all"], 4, "None of the 14 datasets is in data. Put their folders (MVTec, VisA"),
        (["mvtek"], 4, "did you mean mvtec?"),
        (["mvtec"], 4, "--data-root or MOECLIP_DATA"),
        (["--data", "nowhere"], 4, "nowhere"),
        (["./parts", "--prompt", " "], 2, "prompt is empty"),
        (["rsdd", "--data-root", "tree", "--strict"], 4, "instead of 387 and 387"),
        (["--data", "parts", "--data", "more/Parts"], 2, "both called"),
        (["--self-check", "mvtec"], 2, "--self-check"),
        (["mvtec", "--precision", "auto", "--processes", "2"], 2, "choose fp32, bf16 or fp16"),
        (["--data", "parts", "--protocol", "papers"], 2, "deployed"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(benchmark, tmp_path, args, code, message):
    own_folder(tmp_path / "parts")
    own_folder(tmp_path / "more" / "Parts")
    build_all(tmp_path / "tree", names=("rsdd",))
    result = benchmark(*args)
    assert result.exit_code == code, result.stderr
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not OUT.exists()


def test_images_are_evaluated_in_tiles(benchmark, tmp_path):
    own_folder(tmp_path / "own")
    data = ("--data", tmp_path / "own")
    assert benchmark(*data, "--out", "whole").exit_code == 0
    result = benchmark(*data, "--tile", 32)
    assert result.exit_code == 0, result.output
    settings = read()["card"]["settings"]
    assert (settings["tile"], settings["overlap"]) == ([32], 0.25)
    assert "tile" not in read(Path("whole"))["card"]["settings"]
    tiled, whole = (read(out)["lines"][0]["values"] for out in (OUT, Path("whole")))
    assert tiled.keys() == whole.keys()
    assert tiled != whole
    assert any(name.startswith("pixel") for name in tiled) and None not in tiled.values()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--mutual",), "--mutual compares whole images; omit --tile."),
        (("--shots", "1"), "--shots compares whole images; omit --tile, or give --reference."),
        (("--self-check",), "--self-check takes one model"),
        (("--smallest", "12px"), "--smallest chooses the tiles"),
    ],
)
def test_tiles_that_mean_nothing_are_refused(benchmark, tmp_path, options, sentence):
    own_folder(tmp_path / "own")
    result = benchmark("--data", tmp_path / "own", "--tile", 40, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
