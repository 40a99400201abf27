"""A band of unsure images between two thresholds, from the command line to every output."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from moeclip_cli.runs.run_card import read_card

OUT = Path("moeclip-out")
VERDICTS = ["anomalous", "unsure", "unsure", "normal", "normal"]


@pytest.fixture
def thresholds(inspector, parts):
    """Two thresholds that divide the five images into one, two and two."""
    names = ("left/a.png", "left/b.jpg", "right/a.png", "right/c.bmp", "d.png")
    found = inspector.score([parts / name for name in names])
    scores = sorted((result.score for result in found), reverse=True)
    return (scores[0] + scores[1]) / 2, (scores[2] + scores[3]) / 2


@pytest.fixture
def score(moeclip, standin, parts):
    (parts / "broken.png").write_text("not an image")

    def run(out, *options, code=3):
        result = moeclip("score", *standin.options, "parts", "--out", out, *options)
        assert result.exit_code == code, result.stderr
        return result

    return run


def rows(out=OUT):
    with (out / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def page(path):
    """The text of a report without times and pictures."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'data:image/jpeg;base64,[^"]*|datetime="[^"]*"|\d\d:\d\d', "", text)


def test_every_output_knows_the_band(score, thresholds):
    upper, lower = thresholds
    result = score(
        OUT, "--threshold", upper, "--unsure", lower, "--heatmaps", "anomalous", "--report"
    )
    counts = "6 images: 1 anomalous, 2 unsure, 2 normal, 1 unreadable."
    assert f"{counts} Threshold {upper:.3f} (given), unsure from {lower:.3f} (given)." in (
        result.stdout
    )
    read = sorted((row for row in rows() if row["score"]), key=lambda row: -float(row["score"]))
    assert [row["verdict"] for row in read] == VERDICTS
    card = read_card(OUT)
    assert (card["settings"]["threshold"], card["settings"]["unsure_threshold"]) == thresholds
    assert [card["summary"][name] for name in ("anomalous", "unsure", "normal")] == [1, 2, 2]
    assert len([path for path in (OUT / "heatmaps").rglob("*.*") if path.is_file()]) == 3
    text = page(OUT / "report.html")
    assert 'data-show="unsure"' in text
    assert "Unsure images need a check by eye and have not passed." in text
    assert f'data-unsure="{lower}"' in text


def test_an_absent_band_is_nowhere(score):
    score(OUT, "--threshold", 0.5, "--report", "--json")
    card = json.dumps([read_card(OUT)[name] for name in ("settings", "summary")])
    objects = score("other", "--threshold", 0.5, "--json").stdout
    body = page(OUT / "report.html").partition("<body>")[2].partition("<script>")[0]
    for text in (card, objects, body, Path(OUT, "results.csv").read_text("utf-8")):
        assert "unsure" not in text.lower()


def test_json_has_the_lower_threshold_and_code_6_comes_between_1_and_3(score, thresholds):
    upper, lower = thresholds
    gate = ("--fail-on-anomaly", "--unsure", lower, "--json")
    found = score("a", *gate, "--threshold", 1, code=6).stdout.splitlines()
    read = [json.loads(line) for line in found]
    assert {each.get("unsure_threshold") for each in read if each["score"]} == {lower}
    assert {each["verdict"] for each in read} == {"unsure", "normal", None}
    score("b", *gate, "--threshold", upper, code=1)
    score("c", "--fail-on-anomaly", "--unsure", 0.999, "--threshold", 1, code=3)


def test_a_recut_run_is_a_new_run_with_that_band(score, moeclip, thresholds):
    upper, lower = thresholds
    options = ("--keep-maps", "--heatmaps", "anomalous", "--report", "--threshold", upper)
    score(OUT, *options)
    score("new", *options, "--unsure", lower)
    plain = (OUT / "results.csv").read_bytes()

    result = moeclip("recut", OUT, "--unsure", lower)
    assert result.exit_code == 0, result.stderr
    assert "2 verdicts changed: 0 to anomalous, 2 to unsure, 0 to normal." in result.stdout
    for name in ("results.csv", "inputs.jsonl"):
        assert (OUT / name).read_bytes() == Path("new", name).read_bytes()
    assert page(OUT / "report.html") == page(Path("new/report.html"))
    assert read_card(OUT)["settings"] == read_card(Path("new"))["settings"]
    assert read_card(OUT)["summary"].keys() == read_card(Path("new"))["summary"].keys()
    heatmaps = [
        sorted(path.name for path in (out / "heatmaps").rglob("*.*")) for out in (OUT, Path("new"))
    ]
    assert heatmaps[0] == heatmaps[1]

    assert moeclip("recut", OUT, "--threshold", upper).exit_code == 0
    assert (OUT / "results.csv").read_bytes() == plain
    assert "unsure" not in json.dumps(read_card(OUT)["settings"] | read_card(OUT)["summary"])
    compared = moeclip("compare", OUT, "new", "--fail-on-flips")
    assert compared.exit_code == 1
    assert "2 verdicts changed (2 normal to unsure)" in compared.stdout
    assert "unsure threshold none in A" in compared.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threshold", 0.5, "--unsure", 0.6), "--unsure must be below the threshold, 0.5, not"),
        (("--threshold", 0.5, "--unsure", 0.5), "--unsure must be below the threshold, 0.5, not"),
        (("--unsure", -0.1), "--unsure must be between 0 and 1, not -0.1."),
        (("--unsure", 45), "--unsure must be between 0 and 1, not 45; write 45% as 0.45."),
        (("--unsure", "low"), "'low' is not a fraction; write it as 0.05 or"),
        (("--mutual", "--unsure", 0.4), "give a --threshold with --unsure."),
    ],
    ids=str,
)
def test_what_cannot_work_is_one_sentence_before_a_model_is_loaded(
    moeclip, parts, options, message
):
    result = moeclip("score", "parts", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_band_above_the_threshold_of_the_model_is_one_sentence(moeclip, standin, parts):
    result = moeclip("score", "parts", *standin.options, "--unsure", 0.9)
    assert result.exit_code == 2
    assert "--unsure must be below the threshold, 0.5, not 0.9." in result.stderr
    assert not OUT.exists()
