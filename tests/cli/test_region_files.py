"""`moeclip score --regions`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from support.outputs import content

OUT = Path("moeclip-out")


@pytest.fixture
def run(moeclip, standin):
    def with_standin(command, *args):
        return moeclip(command, *args, *standin.options)

    return with_standin


def lines(name, folder=OUT):
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def threshold(run, parts):
    """A threshold at which some images have regions."""
    run("score", parts, "--out", "first")
    return sorted(float(row["peak"]) for row in lines("results.csv", Path("first")))[1] - 0.001


def test_every_region_has_a_line_an_outline_and_an_annotation(moeclip, run, parts, threshold):
    result = run("score", parts, "--regions", "--scale", "0.5mm", "--threshold", threshold)
    assert result.exit_code == 0, result.stderr
    images = lines("results.csv")
    regions = lines("regions.csv")
    coco = json.loads((OUT / "coco.json").read_text())
    assert 0 < len(regions) == sum(int(row["regions"]) for row in images)
    assert len(coco["annotations"]) == len(regions)
    assert [image["file_name"] for image in coco["images"]] == [row["path"] for row in images]
    for row in images:
        own = [region for region in regions if region["path"] == row["path"]]
        assert len(own) == int(row["regions"])
        if own:
            assert [own[0][edge] for edge in ("x0", "y0", "x1", "y1")] == [
                row[edge] for edge in ("x0", "y0", "x1", "y1")
            ]
            assert float(own[0]["length_mm"]) == pytest.approx(float(own[0]["length"]) / 2)
    for path in (OUT / "regions").rglob("*.json"):
        image = path.parent / json.loads(path.read_text())["imagePath"]
        assert image.resolve().is_file()
    verified = moeclip("verify", OUT)
    assert verified.exit_code == 0, verified.stdout


def test_small_regions_are_left_out(run, parts, threshold):
    options = ("--regions", "--threshold", threshold)
    run("score", parts, *options, "--out", "all")
    sizes = sorted(float(row["area"]) for row in lines("regions.csv", Path("all")))
    smallest = sizes[-1]
    run("score", parts, *options, "--min-area", f"{smallest}px", "--out", "large")
    assert [float(row["area"]) for row in lines("regions.csv", Path("large"))] == [smallest]
    in_millimetres = ("--min-area", f"{smallest * 0.25}mm2", "--scale", "0.5mm")
    run("score", parts, *options, *in_millimetres, "--out", "scaled")
    assert len(lines("regions.csv", Path("scaled"))) == 1


def test_a_resumed_run_has_the_same_regions(run, parts, threshold):
    options = ("--regions", "--threshold", threshold, "--batch-size", "2")
    run("score", parts, *options, "--out", "whole")
    run("score", parts, *options, "--out", "resumed", "--limit", 2)
    removed = next(Path("resumed/regions").rglob("*.json"))
    removed.unlink()
    result = run("score", parts, *options, "--out", "resumed", "--resume")
    assert result.exit_code == 0, result.stderr
    assert content(Path("resumed")) == content(Path("whole"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--min-area", "30px"), "--min-area is for the files of --regions"),
        (("--regions", "--min-area", "0.1mm2"), "needs the size of a pixel as --scale"),
        (("--regions", "--min-area", "3mm"), "is not an area; write it as 30px or 0.1mm2"),
    ],
)
def test_areas_that_mean_nothing_are_refused(run, parts, options, sentence):
    result = run("score", parts, *options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
