from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from support.samples import save_image

from moeclip_cli.cli.mutual import forecast_sentence
from moeclip_cli.runs.mutual_run import Forecast

OUT = Path("moeclip-out")


@pytest.fixture
def score(moeclip, standin):
    def run(*args, **kwargs):
        return moeclip("score", *standin.options, "--mutual", *args, **kwargs)

    return run


def test_the_mode_is_named_everywhere(score, parts):
    result = score("parts", "--report")
    assert result.exit_code == 0, result.stderr
    assert "(mutual: outlier limit of these 5 images)" in result.stdout
    assert "About" in result.stderr
    assert "5 images on cpu" in result.stderr
    with (OUT / "results.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["model"] for row in rows} == {"standin.pth, mutual"}
    assert {row["references"] for row in rows} == {"4"}
    assert len({row["threshold"] for row in rows}) == 1
    assert "the limit from which an image stands out" in (OUT / "report.html").read_text(
        encoding="utf-8"
    )
    settings = json.loads((OUT / "run.json").read_bytes())["settings"]
    assert (settings["mode"], settings["subset_size"], settings["subset_seed"]) == (
        "mutual", 200, 0,
    )  # fmt: skip
    assert settings["windows"] == [1, 3, 5]
    assert settings["threshold"] is None


def test_json_and_quiet(score, parts):
    result = score("parts", "--json", "--quiet")
    assert result.stderr == ""
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["model"] for line in lines] == ["standin.pth, mutual"] * 5


def test_a_threshold_can_be_given(score, parts):
    result = score("parts", "--threshold", "0.00001", "--fail-on-anomaly")
    assert result.exit_code == 1
    assert "Threshold 0.000 (given)" in result.stdout


def test_unreadable_images_get_a_row(score, parts):
    (parts / "e.png").write_bytes(b"nothing")
    result = score("parts")
    assert result.exit_code == 3
    assert "1 unreadable" in result.stdout
    assert "outlier limit of these 5 images" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["parts", "--reference", "parts"], "--mutual compares the images with each other"),
        (["parts", "--profile", "p.json"], "--profile with good parts; use one of the two"),
        (["parts/d.png"], "--mutual compares at least two"),
        (["parts", "--threshold", "2"], "--threshold must be between 0 and 1"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(score, parts, args, message):
    result = score(*args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not OUT.exists()


def test_one_readable_image_is_refused(score, parts):
    broken = parts / "broken.png"
    broken.write_bytes(b"nothing")
    result = score("parts/d.png", broken)
    assert result.exit_code == 2
    assert "fewer than two can be read" in result.stderr


def test_another_mode_cannot_be_resumed(score, moeclip, standin, parts):
    assert score("parts").exit_code == 0
    result = moeclip("score", *standin.options, "parts", "--resume")
    assert result.exit_code == 2
    assert "cannot be resumed: its layers was" in result.stderr


def test_overwriting_removes_the_comparison(score, moeclip, standin, parts):
    assert score("parts").exit_code == 0
    assert (OUT / "mutual").exists()
    result = moeclip("score", *standin.options, "parts", "--overwrite")
    assert result.exit_code == 0
    assert not (OUT / "mutual").exists()
    assert moeclip("verify", OUT).exit_code == 0


def test_a_finished_comparison_is_verified(score, moeclip, parts):
    assert score("parts", "--heatmaps").exit_code == 0
    assert moeclip("verify", OUT).exit_code == 0
    save_image(parts / "d.png", seed=9)
    assert moeclip("verify", OUT).exit_code == 5


@pytest.mark.parametrize(
    ("ahead", "sentence"),
    [
        (Forecast(0.1, 2, 1, 2), "About 1 s: 2 images on cpu."),
        (Forecast(843, 1000, 5, 200), "About 14 min: 1,000 images in 5 subsets of 200 on cpu."),
        (Forecast(7260, 300, 2, 150), "About 2 h 1 min: 300 images in 2 subsets of 150 on cpu."),
    ],
)
def test_the_forecast_is_a_sentence(ahead, sentence):
    assert forecast_sentence(ahead, "cpu") == sentence
