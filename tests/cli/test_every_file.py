"""A folder as factories have them: good files score, bad ones get a row, none is lost."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)
PIXELS = cv2.resize(RNG.integers(0, 255, (5, 7, 3), dtype=np.uint8), (90, 60))
DEEP = (PIXELS.astype(np.uint16) * 16 + 1000)[..., 0]


def good_files(folder):
    """Every kind of file that can be scored; returns their names with width and height."""
    colour = Image.fromarray(PIXELS)
    grey = colour.convert("L")
    saved = {
        "a.png": colour,
        "UPPER.PNG": colour,
        "b.jpg": colour,
        "c.jpeg": colour,
        "d.bmp": colour,
        "e.tif": colour,
        "f.webp": colour,
        "g.gif": colour,
        "h.ppm": colour,
        "i.pgm": grey,
        "grey.png": grey,
        "grey+alpha.png": colour.convert("LA"),
        "rgba.png": colour.convert("RGBA"),
        "palette.png": colour.convert("P"),
        "1bit.png": colour.convert("1"),
        "cmyk.jpg": colour.convert("CMYK"),
        "cmyk.tiff": colour.convert("CMYK"),
        "名前 ünï 1:2.png": colour,
        "n" * 240 + ".png": colour,
    }
    names = {}
    for name, image in saved.items():
        image.save(folder / name)
        names[name] = image.size
    Image.fromarray(DEEP).save(folder / "deep.png")
    Image.fromarray(DEEP).save(folder / "deep.tif")
    cv2.imwrite(str(folder / "deep rgb.png"), np.dstack([DEEP] * 3))
    colour.save(folder / "pages.tif", save_all=True, append_images=[grey.convert("RGB")] * 2)
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(folder / "turned.jpg", exif=exif)
    colour.save(folder / "really a png.bmp", format="PNG")
    colour.resize((1, 60)).save(folder / "thin.png")
    names |= dict.fromkeys(["deep.png", "deep.tif", "deep rgb.png", "pages.tif"], (90, 60))
    names |= {"turned.jpg": (60, 90), "really a png.bmp": (90, 60), "thin.png": (1, 60)}
    return names


def bad_files(folder):
    """What has an image's name but is none; returns the names."""
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("I am no picture.")
    for name in ("a.png", "b.jpg", "deep.tif", "f.webp"):
        whole = (folder / name).read_bytes()
        (folder / f"cut {name}").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (20000, 11000)).save(folder / "bomb.png")
    (folder / "broken link.png").symlink_to("nowhere.png")
    names = ["empty.png", "text.png", "bomb.png", "broken link.png"]
    return [*names, "cut a.png", "cut b.jpg", "cut deep.tif", "cut f.webp"]


def test_every_kind_of_file_gets_its_row(moeclip, standin, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    good, bad = good_files(folder), bad_files(folder)
    (folder / "folder.png").mkdir()
    Image.fromarray(PIXELS).save(folder / "folder.png" / "inside.png")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "notes.txt").write_text("left out")

    result = moeclip("score", "in", *standin.options, "--heatmaps", "--verbose")
    assert result.exit_code == 3, result.stderr
    assert "Traceback" not in result.stderr
    with Path("moeclip-out/results.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}
    expected = {f"in/{name}" for name in [*good, *bad, "folder.png/inside.png"]}
    assert set(rows) == expected
    for name, size in good.items():
        row = rows[f"in/{name}"]
        assert row["error"] == ""
        assert (int(row["width"]), int(row["height"])) == size
        assert 0 <= float(row["score"]) <= 1
    for name in bad:
        row = rows[f"in/{name}"]
        assert row["score"] == ""
        assert row["error"].endswith(".")
        assert row["error"].count("\n") == 0
    assert "more than the limit of" in rows["in/bomb.png"]["error"]
    overlays = [path for path in Path("moeclip-out/heatmaps").rglob("*") if path.is_file()]
    assert len(overlays) == len(good) + 1
    assert "in/notes.txt" in result.stderr
    assert "in/pages.tif: first of several pages" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_row(moeclip, standin, parts):
    (parts / "d.png").chmod(0)
    result = moeclip("score", "parts", *standin.options)
    assert result.exit_code == 3
    assert "permission" in result.stderr.lower()
