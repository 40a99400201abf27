"""`--align` on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.outputs import content

from moeclip_cli.inspection.similarity import Similarity, of_pixels
from moeclip_cli.pictures.overlay import BORDER

OUT = Path("moeclip-out")
SIZE = (200, 150)


@pytest.fixture
def scenes():
    """A view, and a folder with four images that moved and one of something else."""
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8), SIZE)
    cv2.imwrite("view.png", picture)
    Path("scenes").mkdir()
    for number, move in enumerate([(0, 0, 0), (9, 4, 2), (-6, 8, -3), (3, -10, 5)]):
        matrix = of_pixels(Similarity(*move).matrix(*SIZE))
        cv2.imwrite(f"scenes/{number}.png", cv2.warpAffine(picture, matrix, SIZE))
    other = cv2.resize(rng.integers(0, 255, (15, 20, 3), dtype=np.uint8), SIZE)
    cv2.imwrite("scenes/other.png", other)
    return Path("scenes")


def rows(folder=OUT):
    with (folder / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_table_tells_how_far_each_image_moved(moeclip, run, scenes):
    result = run("score", scenes, "--align", "view.png", "--region", "10%,10%,90%,90%",
                 "--heatmaps", "--report", "--regions", "--save-maps")  # fmt: skip
    assert result.exit_code == 3, result.stderr
    assert "scenes/other.png: The image could not be aligned with view.png" in result.stderr
    *moved, other = rows()
    assert other["error"].startswith("The image could not be aligned")
    shifts = [(float(row["shift_x"]), float(row["shift_y"])) for row in moved]
    assert np.abs(np.array(shifts) - [(0, 0), (9, 4), (-6, 8), (3, -10)]).max() < 0.5
    assert [round(float(row["rotation"])) for row in moved] == [0, 2, -3, 5]
    assert {round(float(row["scale"]), 1) for row in moved} == {1.0}
    assert len(list((OUT / "heatmaps").iterdir())) == 4
    assert moeclip("verify", OUT).exit_code == 0


def test_a_run_with_another_view_is_not_resumed(run, scenes):
    options = ("--align", "view.png", "--save-maps", "--batch-size", "2")
    run("score", scenes, *options, "--out", "whole")
    run("score", scenes, *options, "--limit", "3")
    refused = run("score", scenes, "--align", "scenes/1.png", "--resume")
    assert refused.exit_code == 2
    assert "reference view was view.png, now it is 1.png" in refused.stderr
    assert "picture" not in refused.stderr
    run("score", scenes, *options, "--resume")
    assert content(OUT) == content(Path("whole"))


def test_recut_draws_the_aligned_region(moeclip, run, scenes):
    options = ("--align", "view.png", "--region", "20%,20%,80%,80%", "--keep-maps", "--heatmaps")
    run("score", scenes, *options, "--threshold", "0.1")
    run("score", scenes, *options, "--threshold", "0.6", "--out", "new")
    assert moeclip("recut", OUT, "--threshold", "0.6").exit_code == 0
    assert (OUT / "results.csv").read_bytes() == Path("new/results.csv").read_bytes()
    for path in sorted(Path("new/heatmaps").iterdir()):
        ours, theirs = (
            (cv2.imread(str(each)) == BORDER[::-1]).all(axis=-1)
            for each in (OUT / "heatmaps" / path.name, path)
        )
        assert theirs.any()
        assert (ours != theirs).mean() < 0.005  # an outline across it may be off by a pixel


def test_a_profile_keeps_the_view(run, scenes):
    (scenes / "other.png").unlink()
    calibrate = ("--align", "view.png", "--profile", "p.moeclip", "--references", "-a", "0.5")
    assert run("calibrate", scenes, *calibrate).exit_code == 0
    Path("view.png").unlink()
    result = run("score", scenes, "--profile", "p.moeclip", "--threshold", "0.5")
    assert result.exit_code == 0, result.stderr
    assert all(row["shift_x"] for row in rows())
    settings = json.loads((OUT / "run.json").read_text())["settings"]
    assert settings["reference_view"] == "view.png"


def test_a_view_is_refused_before_the_model_is_loaded(moeclip, scenes):
    Path("text.png").write_text("no picture")
    for name in ("text.png", "absent.png"):
        result = moeclip("score", scenes, "--align", name, "--model", "absent.pth")
        assert result.exit_code == 2
        assert f"The reference view {name} cannot be read" in result.stderr
    mutual = moeclip("score", scenes, "--align", "view.png", "--mutual")
    assert "--mutual compares whole images; omit --align." in mutual.stderr
