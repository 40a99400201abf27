"""Pages of files, and frames of videos, on the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.dicom_files import dicom_file
from support.outputs import content
from support.samples import save_image
from support.videos import write_video


@pytest.fixture
def films():
    """A folder with a picture, a scan of three pages, a DICOM file and a video of nine frames."""
    Path("films").mkdir()
    save_image(Path("films/a.png"))
    pages = [Image.new("RGB", (60, 40), (40 * number, 10, 200)) for number in range(3)]
    pages[0].save("films/scan.tif", save_all=True, append_images=pages[1:])
    values = np.stack([np.full((40, 60), 50 * number, dtype=np.uint8) for number in range(2)])
    Path("films/ct.dcm").write_bytes(dicom_file(values))
    write_video(Path("films/clip.avi"), 9)
    return Path("films")


def rows(folder="moeclip-out"):
    with Path(folder, "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def names(folder="moeclip-out"):
    return [Path(row["path"]).name for row in rows(folder)]


def test_pages_and_frames_are_rows(run, films):
    result = run("score", films, "--pages", "all", "--every", 4, "--heatmaps", "--report")
    assert result.exit_code == 0, result.stderr
    assert names() == ["a.png", "clip.avi#1", "clip.avi#5", "clip.avi#9", "ct.dcm#1", "scan.tif#1"]
    assert len({row["score"] for row in rows()}) > 3
    drawn = sorted(path.name for path in Path("moeclip-out/heatmaps").iterdir())
    assert drawn == ["a.png", *(f"{name}.png" for name in names()[1:])]


def test_without_the_option_files_are_images_as_such(run, films):
    result = run("score", films, "--verbose")
    assert result.exit_code == 3
    assert names() == ["a.png", "clip.avi", "ct.dcm", "scan.tif"]
    assert "This is a video; set --pages to all, or --every" in result.stderr.replace("\n", " ")
    assert "scan.tif: first of several pages" in result.stderr
    assert "ct.dcm: first of 2 frames" in result.stderr


def test_a_resumed_run_ends_like_one_that_was_not_interrupted(run, films):
    options = ("--pages", "all", "--batch-size", 4, "--heatmaps")
    run("score", films, *options, "--out", "whole")
    run("score", films, *options, "--out", "resumed", "--limit", 6)
    result = run("score", films, *options, "--out", "resumed", "--resume")
    assert result.exit_code == 0, result.stderr
    assert content(Path("resumed")) == content(Path("whole"))


def test_runs_of_pages_are_recut_and_verified(run, moeclip, films):
    run("score", films, "--every", 3, "--heatmaps", "--keep-maps")
    made = moeclip("recut", "moeclip-out", "--threshold", 0.1)
    assert made.exit_code == 0, made.stderr
    checked = moeclip("verify", "moeclip-out", "--inputs")
    assert checked.exit_code == 0, checked.output
    records = [
        json.loads(line) for line in Path("moeclip-out/inputs.jsonl").read_text().splitlines()
    ]
    assert [record.get("page") for record in records] == [None, 1, 4, 7, 1, 1]


def test_good_parts_may_be_frames(run, films):
    made = run("calibrate", films, "--pages", "all", "-a", 0.2)
    assert made.exit_code == 0, made.stderr
    compared = run("score", films, "--pages", "1-2", "--mutual")
    assert compared.exit_code == 0, compared.stderr
    assert run("heatmap", films / "clip.avi", "--pages", "2", "--out", "drawn").exit_code == 0
    assert Path("drawn/heatmaps/clip.avi#2.png").exists()


def test_bad_pages_are_refused_in_one_sentence(run, films):
    result = run("score", films, "--pages", "one")
    assert result.exit_code == 2
    assert "--pages takes all, or numbers and ranges such as 1-3,7,10-, not 'one'" in result.stderr
