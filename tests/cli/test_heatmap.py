from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from moeclip_cli.runs.lock import WriterLock
from moeclip_cli.runs.pictures import Pictures

OUT = Path("moeclip-out")


@pytest.fixture
def heatmap(moeclip, standin):
    def run(*args, **kwargs):
        return moeclip("heatmap", *standin.options, *args, **kwargs)

    return run


def test_one_image_says_where_it_wrote(heatmap, parts):
    result = heatmap("parts/d.png")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == [str(OUT / "heatmaps" / "d.png")]
    with Image.open(parts / "d.png") as image, Image.open(OUT / "heatmaps" / "d.png") as overlay:
        assert image.size == overlay.size


def test_sheet_with_and_without_a_mask(heatmap, parts):
    mask = Image.new("L", (100, 60))
    mask.paste(255, (20, 20, 50, 40))
    mask.save("d_mask.png")
    heatmap("parts/d.png", "--sheet", "--out", "plain")
    heatmap("parts/d.png", "--mask", "d_mask.png", "--out", "masked")
    with Image.open("plain/sheets/d.png") as plain, Image.open("masked/sheets/d.png") as masked:
        assert plain.size[0] * plain.size[1] < masked.size[0] * masked.size[1]


def test_masks_are_found_by_name_in_a_mirrored_folder(heatmap, parts):
    for name in ("left/a_mask.png", "right/a.png"):
        path = Path("masks") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (10, 10), 255).save(path)
    result = heatmap("parts", "--mask", "masks")
    assert result.exit_code == 0, result.stderr
    heatmap("parts", "--sheet", "--out", "plain")
    for name, has_mask in (("left/a.png", True), ("right/a.png", True), ("d.png", False)):
        with (
            Image.open(OUT / "sheets" / name) as sheet,
            Image.open(Path("plain/sheets") / name) as plain,
        ):
            assert (sheet.size != plain.size) is has_mask


def test_a_broken_mask_is_that_images_error(heatmap, parts):
    Path("mask.png").write_text("no picture")
    result = heatmap("parts/d.png", "--mask", "mask.png")
    assert result.exit_code == 3
    assert "mask.png" in result.stderr


def test_expert_map(heatmap, parts):
    result = heatmap("parts/d.png", "--experts", "4")
    assert result.exit_code == 0, result.stderr
    assert (OUT / "experts" / "d.png").exists()
    refused = heatmap("parts/d.png", "--experts", "5", "--overwrite")
    assert refused.exit_code == 2
    assert "2, 4, 6, 8" in refused.stderr


def test_pictures_are_not_overwritten_unasked(heatmap, parts):
    heatmap("parts/d.png")
    before = (OUT / "heatmaps" / "d.png").stat().st_mtime_ns
    refused = heatmap("parts/d.png")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert (OUT / "heatmaps" / "d.png").stat().st_mtime_ns == before
    assert heatmap("parts/d.png", "--overwrite").exit_code == 0


def test_missing_mask_and_unreadable_image(heatmap, parts):
    assert heatmap("parts/d.png", "--mask", "gone.png").exit_code == 2
    (parts / "d.png").write_bytes(b"")
    result = heatmap("parts/d.png")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "parts/d.png" in result.stderr


def test_heatmap_does_not_disturb_a_run_in_the_same_folder(heatmap, moeclip, standin, parts):
    moeclip("score", *standin.options, "parts/left")
    assert heatmap("parts/right").exit_code == 0
    assert (OUT / "results.csv").exists()


def test_a_second_process_is_refused(heatmap, parts):
    heatmap("parts/d.png")
    with WriterLock.of_folder(OUT):
        refused = heatmap("parts", "--overwrite")
    assert refused.exit_code == 2
    assert "Another moeclip" in refused.stderr
    assert [path.name for path in (OUT / "heatmaps").iterdir()] == ["d.png"]
    assert heatmap("parts", "--overwrite").exit_code == 0


def test_pictures_that_are_removed_during_the_run_are_an_error(heatmap, parts, monkeypatch):
    def remove_and_save(self, kind, name, picture):
        if name.endswith("c.bmp"):
            shutil.rmtree(OUT / "heatmaps", ignore_errors=True)
        save(self, kind, name, picture)

    save = Pictures.save
    monkeypatch.setattr(Pictures, "save", remove_and_save)
    result = heatmap("parts", "--batch-size", "1", "--overwrite")
    assert result.exit_code == 2
    assert "were removed during the run" in " ".join(result.stderr.split())
