"""`moeclip score --regions`."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
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


ALL = ("--regions", "--crops", "--masks", "--fiftyone")


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def test_every_region_has_a_crop_and_its_image_a_mask(moeclip, run, parts, threshold):
    result = run("score", parts, *ALL, "--threshold", threshold)
    assert result.exit_code == 0, result.stderr
    regions = lines("regions.csv")
    assert {row["crop"] for row in regions} == {f"crops/{name}" for name in names(OUT / "crops")}
    sizes = {row["path"]: (int(row["width"]), int(row["height"])) for row in lines("results.csv")}
    for row in regions:
        x0, y0, x1, y1 = (int(row[edge]) for edge in ("x0", "y0", "x1", "y1"))
        width, height = sizes[row["path"]]
        more = max(8, round(max(x1 - x0, y1 - y0) / 4))
        box = (max(0, x0 - more), max(0, y0 - more), min(width, x1 + more), min(height, y1 + more))
        cut = Image.open(row["path"]).convert("RGB").crop(box)
        assert np.array_equal(np.asarray(Image.open(OUT / row["crop"])), np.asarray(cut))
    found = {row["path"] for row in regions}
    assert len(names(OUT / "masks")) == len(found)
    for path in sorted(found):
        name = Path(path).relative_to(parts).as_posix()
        mask = Image.open(OUT / "masks" / (name if name.endswith(".png") else f"{name}.png"))
        white = np.asarray(mask)
        area = sum(float(row["area"]) for row in regions if row["path"] == path)
        assert (mask.size, mask.mode) == (sizes[path], "L")
        assert set(np.unique(white)) <= {0, 255}
        assert (white > 0).sum() == pytest.approx(area, rel=0.25, abs=30)
    verified = moeclip("verify", OUT)
    assert verified.exit_code == 0, verified.stdout
    next((OUT / "crops").rglob("*.png")).unlink()
    next((OUT / "masks").rglob("*.png")).rename(OUT / "masks/other.png")
    verified = moeclip("verify", OUT)
    assert verified.exit_code == 5
    assert "overlays or maps are missing (2)" in " ".join(verified.output.split())


def test_fiftyone_finds_every_image_of_its_dataset(run, parts, threshold):
    run("score", parts, *ALL, "--threshold", threshold)
    manifest = json.loads((OUT / "fiftyone/data.json").read_text())
    labels = json.loads((OUT / "fiftyone/labels.json").read_text())
    coco = json.loads((OUT / "coco.json").read_text())
    # As its importer for COCO reads them: keys in normal form, paths beside the manifest.
    found = {os.path.normpath(key): OUT / "fiftyone" / path for key, path in manifest.items()}
    assert len(found) == 5
    for image, other in zip(labels["images"], coco["images"], strict=True):
        assert found[image["file_name"]].resolve() == Path(other["file_name"]).resolve()
    assert labels["annotations"] == coco["annotations"] != []


def test_a_lower_threshold_outlines_more_and_changes_no_verdict(run, parts, threshold):
    run("score", parts, "--regions", "--threshold", threshold, "--out", "usual")
    low = ("--regions-threshold", threshold / 2)
    run("score", parts, "--regions", "--threshold", threshold, *low, "--out", "low")
    usual, found = (lines("regions.csv", Path(folder)) for folder in ("usual", "low"))
    area = [sum(float(row["area"]) for row in rows) for rows in (usual, found)]
    assert area[1] > area[0]
    assert Path("usual/results.csv").read_bytes() == Path("low/results.csv").read_bytes()


def test_a_resumed_run_has_the_same_pictures(run, parts, threshold):
    options = (*ALL, "--threshold", threshold, "--batch-size", "2")
    run("score", parts, *options, "--out", "whole")
    run("score", parts, *options, "--out", "resumed", "--limit", 4)
    removed = sorted(Path("resumed/crops").rglob("*.png"))[0]
    removed.unlink()
    refused = run("score", parts, "--regions", "--threshold", threshold, "--out", "resumed",
                  "--resume")  # fmt: skip
    assert refused.exit_code == 2
    result = run("score", parts, *options, "--out", "resumed", "--resume")
    assert result.exit_code == 0, result.stderr
    assert removed.exists()
    assert content(Path("resumed")) == content(Path("whole"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--min-area", "30px"), "--min-area is for the files of --regions"),
        (("--crops",), "--crops is for the files of --regions"),
        (("--masks",), "--masks is for the files of --regions"),
        (("--fiftyone",), "--fiftyone is for the files of --regions"),
        (("--regions-threshold", "0.4"), "--regions-threshold is for the files of --regions"),
        (("--regions", "--regions-threshold", "0"), "must be above 0 and at most 1, not 0"),
        (("--regions", "--min-area", "0.1mm2"), "needs the size of a pixel as --scale"),
        (("--regions", "--min-area", "3mm"), "is not an area; write it as 30px or 0.1mm2"),
    ],
)
def test_options_that_mean_nothing_are_refused(run, parts, options, sentence):
    result = run("score", parts, *options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
