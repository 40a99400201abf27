"""`moeclip score`: overlays, raw maps and the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image
from support.score_rows import OUT, read_rows


def test_heatmaps_mirror_the_tree_at_the_original_size(score, parts):
    assert score("parts", "--heatmaps").exit_code == 0
    written = sorted(
        path.relative_to(OUT / "heatmaps").as_posix()
        for path in (OUT / "heatmaps").rglob("*")
        if path.is_file()
    )
    assert len(written) == 5
    assert "left/a.png" in written
    for original, overlay in (("left/a.png", "left/a.png"), ("left/b.jpg", "left/b.jpg.png")):
        with Image.open(parts / original) as one, Image.open(OUT / "heatmaps" / overlay) as other:
            assert one.size == other.size


@pytest.fixture
def photographs(tmp_path):
    """A folder with one photograph of more than 1 megapixel and a small one."""
    (tmp_path / "photos").mkdir()
    save_image(tmp_path / "photos" / "large.jpg", width=1001, height=1000)
    save_image(tmp_path / "photos" / "small.jpg", width=200, height=100)
    return tmp_path / "photos"


def overlays(folder=OUT):
    return sorted(path.name for path in (folder / "heatmaps").rglob("*.*"))


def test_overlays_of_large_photographs_are_jpeg(score, moeclip, photographs):
    assert score("photos", "--heatmaps", "--report").exit_code == 0
    assert overlays() == ["large.jpg", "small.jpg.png"]
    assert 'data-link="heatmaps/large.jpg"' in (OUT / "report.html").read_text()
    assert moeclip("verify", OUT).exit_code == 0
    before = (OUT / "results.csv").read_bytes()
    (OUT / "heatmaps" / "large.jpg").unlink()
    assert moeclip("verify", OUT).exit_code == 5
    assert score("photos", "--heatmaps", "--resume").exit_code == 0
    assert overlays() == ["large.jpg", "small.jpg.png"]
    assert (OUT / "results.csv").read_bytes() == before
    assert score("photos", "--heatmaps", "--picture-format", "png", "--out", "p").exit_code == 0
    assert overlays(Path("p")) == ["large.jpg.png", "small.jpg.png"]


def test_an_overlay_in_the_format_of_an_earlier_version_is_replaced(score, moeclip, photographs):
    assert score("photos", "--heatmaps", "--keep-maps").exit_code == 0
    (OUT / "heatmaps" / "large.jpg").rename(OUT / "heatmaps" / "large.jpg.png")
    assert moeclip("recut", OUT, "--threshold", "0.4").exit_code == 0
    assert overlays() == ["large.jpg", "small.jpg.png"]


def test_overlays_of_anomalous_images_only(score, moeclip, parts):
    assert score("parts").exit_code == 0
    rows = sorted(read_rows(), key=lambda row: float(row["score"]))
    threshold = rows[3]["score"]  # two of five images reach it
    args = ("parts", "--heatmaps", "anomalous", "--threshold", threshold, "--out", "some")
    assert score(*args).exit_code == 0
    verdicts = {row["path"]: row["verdict"] for row in read_rows(Path("some"))}
    assert 1 <= list(verdicts.values()).count("anomalous") <= 2
    drawn = list(Path("some/heatmaps").rglob("*.png"))
    assert len(drawn) == list(verdicts.values()).count("anomalous")
    assert moeclip("verify", "some").exit_code == 0
    again = score(*args, "--resume")
    assert "0 images in" in again.stderr
    drawn[0].unlink()
    assert moeclip("verify", "some").exit_code == 5
    assert score(*args, "--resume").exit_code == 0
    assert drawn[0].is_file()


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (("--heatmaps", "parts"), 5),
        (("-qH", "parts"), 5),
        (("-H", "all", "parts"), 5),
        (("--heatmaps=anomalous", "-t", "1", "parts"), 0),
        (("-H", "anomalous", "-t", "1", "parts"), 0),
        (("parts", "--", "-H"), None),
    ],
)
def test_the_value_of_heatmaps_may_be_left_out(score, parts, args, count):
    result = score(*args)
    if count is None:
        assert result.exit_code == 2
        assert "File or folder not found: -H" in result.stderr
    else:
        assert result.exit_code == 0, result.stderr
        assert len(list((OUT / "heatmaps").rglob("*.png"))) == count


def test_heatmaps_of_unknown_images_are_refused(score, parts):
    result = score("parts", "--heatmaps=normal")
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "'normal' is not one of 'all', 'anomalous'" in said


def test_heatmaps_as_jpeg(score, parts):
    score("parts/d.png", "--heatmaps", "--picture-format", "jpeg")
    (written,) = (OUT / "heatmaps").iterdir()
    with Image.open(written) as image:
        assert image.format == "JPEG"


def test_saved_maps_are_the_raw_ones(score, parts):
    score("parts", "--save-maps")
    row = read_rows()[1]
    (path,) = (OUT / "maps" / "left").glob("a*.npy")
    raw_map = np.load(path)
    assert (raw_map.shape, raw_map.dtype) == ((70, 70), np.float32)
    assert float(row["map_max"]) == pytest.approx(raw_map.max(), abs=1e-5)


def test_report_is_one_page_with_every_image(score, parts):
    assert score("parts", "--report", "--heatmaps").exit_code == 0
    page = (OUT / "report.html").read_text(encoding="utf-8")
    for row in read_rows():
        assert row["path"] in page


def test_report_after_resume_has_the_earlier_images_too(score, parts):
    score("parts", "--report", "--limit", "2")
    score("parts", "--report", "--resume")
    page = (OUT / "report.html").read_text(encoding="utf-8")
    assert "No picture" not in page
    for row in read_rows():
        assert row["path"] in page


def test_report_after_resume_shows_the_overlays_of_the_earlier_images(score, parts):
    score("parts", "--report", "--heatmaps", "--limit", "2")
    score("parts", "--report", "--heatmaps", "--resume")
    page = (OUT / "report.html").read_text(encoding="utf-8")
    rows = [row for row in read_rows() if not row["error"]]
    assert len(rows) > 2
    assert page.count('src="data:image/jpeg;base64') == len(rows)
    assert page.count('data-original="data:image/jpeg;base64') == len(rows)
    assert "No picture" not in page
