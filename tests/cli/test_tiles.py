"""`--tile` and its companions on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from support.outputs import content
from support.samples import save_image

RESULTS = Path("moeclip-out/results.csv")


@pytest.fixture
def large():
    """Six images, most of them larger than a tile of 64 pixels."""
    Path("large").mkdir()
    for number in range(6):
        path = Path("large") / f"{number}.png"
        save_image(path, seed=number, width=60 + 30 * number, height=60 + 10 * number)
    return Path("large")


def rows(path=RESULTS):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_table_names_the_tile_with_the_highest_score(run, large):
    result = run("score", large, "--tile", 64, "--heatmaps", "--report", "--save-maps")
    assert result.exit_code == 0, result.stderr
    assert [row["tiles"] for row in rows()] == ["1", "4", "6", "6", "8", "10"]
    for row in rows():
        x0, y0, x1, y1 = (int(row[f"tile_{edge}"]) for edge in ("x0", "y0", "x1", "y1"))
        assert 0 <= x0 < x1 <= min(int(row["width"]), x0 + 64)
        assert 0 <= y0 < y1 <= min(int(row["height"]), y0 + 64)
    settings = json.loads(Path("moeclip-out/run.json").read_text())["settings"]
    assert (settings["tile"], settings["overlap"]) == (64, 0.25)
    assert len(list(Path("moeclip-out/heatmaps").iterdir())) == 6


def test_whole_images_have_no_tiles_and_unchanged_settings(run, large):
    run("score", large)
    assert {row["tiles"] for row in rows()} == {""}
    assert "tile" not in json.loads(Path("moeclip-out/run.json").read_text())["settings"]


def test_a_resumed_run_ends_like_one_that_was_not_interrupted(run, large):
    options = ("--tile", "64", "--save-maps", "--batch-size", "4")
    run("score", large, *options, "--out", "whole")
    run("score", large, *options, "--out", "resumed", "--limit", 3)
    result = run("score", large, *options, "--out", "resumed", "--resume")
    assert result.exit_code == 0, result.stderr
    assert content(Path("resumed")) == content(Path("whole"))
    refused = run("score", large, "--tile", 80, "--save-maps", "--out", "whole", "--resume")
    assert refused.exit_code == 2
    assert "tile" in refused.stderr


def test_a_calibration_with_tiles_is_for_tiles(run, large):
    made = run("calibrate", large, "-a", 0.2, "--tile", 64, "--overlap", "50%")
    assert made.exit_code == 0, made.stderr
    result = run("score", large, "--profile", "moeclip-profile.json")
    assert result.exit_code == 0, result.stderr
    assert rows()[-1]["tiles"] == "18"
    refused = run("score", large, "--profile", "moeclip-profile.json", "--tile", 100, "--overwrite")
    assert refused.exit_code == 2
    assert "its tile is 64, but here it is 100" in refused.stderr


def test_profiles_with_references_are_made_and_changed_with_tiles(run, large):
    made = run("calibrate", large, "--references", "--tile", 64, "--limit", 4)
    assert made.exit_code == 0, made.stderr
    added = run("calibrate", "profile.moeclip", "--add", large / "5.png")
    assert added.exit_code == 0, added.stderr
    assert run("score", large, "--profile", "profile.moeclip").exit_code == 0
    assert {row["references"] for row in rows()} == {"4", "5"}


def test_heatmaps_are_drawn_of_tiles(run, large):
    assert run("heatmap", large / "5.png", "--tile", 64, "--sheet").exit_code == 0
    assert Path("moeclip-out/heatmaps/5.png").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--tile", "none"), "is not a number of pixels, such as 448, or 'auto'"),
        (("--tile", "8"), "--tile must be at least 32 pixels, not 8."),
        (("--tile", "auto"), "needs the size of the smallest defect as --smallest"),
        (("--smallest", "12px"), '--smallest chooses the tiles; set --tile to "auto"'),
        (("--tile", "auto", "--smallest", "2 mm"), "needs the size of a pixel as --scale"),
        (("--tile", "auto", "--smallest", "2cm"), "is not a length; write it as 12px or 0.6mm"),
        (("--tile", "auto", "--smallest", "2mm", "--scale", "3px"), "--scale is the size of a"),
        (("--tile", "64", "--overlap", "0.9"), "--overlap must be from 0 to 0.75, not 0.9"),
        (("--overlap", "0.5"), "--overlap is that of tiles; give their side as --tile"),
        (("--region", "5,5,5,9"), "The box 5,5,5,9 is empty"),
        (("--ignore", "none.png"), "none.png is neither a file with a region nor a box"),
        (("--region", "0,0,9,9", "--mutual"), "--mutual compares whole images; omit --region"),
        (("--tile", "64", "--mutual"), "--mutual compares whole images; omit --tile"),
    ],
)
def test_what_makes_no_tiles_is_refused_in_one_sentence(run, large, options, sentence):
    result = run("score", large, *options)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert not RESULTS.exists()


def test_a_region_is_kept_in_the_profile_and_named_in_refusals(moeclip, run, large):
    made = run("calibrate", large, "-a", 0.2, "--region", "10%,10%,90%,90%", "--ignore", "0,0,9,9")
    assert made.exit_code == 0, made.stderr
    result = run("score", large, "--profile", "moeclip-profile.json", "--heatmaps")
    assert result.exit_code == 0, result.stderr
    for row in rows():
        assert float(row["width"]) * 0.1 - 1 <= float(row["peak_x"]) <= float(row["width"]) * 0.9
        assert row["tiles"] == ""
    other = ("--region", "0,0,50%,50%", "--overwrite")
    refused = run("score", large, "--profile", "moeclip-profile.json", *other)
    assert refused.exit_code == 2
    assert "its region is" in refused.stderr
    shown = moeclip("profile", "show", "moeclip-profile.json")
    assert shown.exit_code == 0, shown.stderr
    assert "10%,10%,90%,90%" in shown.stdout


def test_images_that_a_mask_does_not_fit_get_a_row_with_the_reason(run, large):
    Image.new("L", (90, 70), 255).save("mask.png")
    result = run("score", large, "--region", "mask.png")
    assert result.exit_code == 3
    assert [row["error"] == "" for row in rows()] == [number == 1 for number in range(6)]
    assert "the image has 60 x 60; give one of the same size or aspect ratio" in rows()[0]["error"]


def test_the_smallest_defect_may_be_in_millimetres(run, large):
    options = ("--tile", "auto", "--smallest", "1,5 mm", "--scale", "0.05mm")
    result = run("score", large, *options)
    assert result.exit_code == 0, result.stderr
    # 30 pixels, two of the 5 patches along the network input.
    assert json.loads(Path("moeclip-out/run.json").read_text())["settings"]["tile"] == 75


def test_tiles_can_be_set_in_a_file(run, large):
    Path("moeclip.toml").write_text('tile = 64\noverlap = "50%"\n')
    run("score", large)
    assert rows()[-1]["tiles"] == "18"


def test_a_threshold_of_whole_images_is_warned_of(moeclip, large):
    result = moeclip("score", large, "--limit", 1, "--tile", 64, "--device", "cpu")
    assert "The threshold was found on whole images" in " ".join(result.stderr.split())
    assert "not calibrated for tiles" in result.stdout
