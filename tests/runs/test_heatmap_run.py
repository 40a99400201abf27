from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.errors import UsageError
from moeclip_cli.images.decode import decode
from moeclip_cli.runs.heatmap_run import run_heatmap
from moeclip_cli.runs.pictures import Pictures
from moeclip_cli.runs.stream import Pace


@pytest.fixture
def ref(parts):
    return ImageRef(parts / "left" / "a.png", "left/a.png")


def draw(inspector, refs, pictures):
    observed = []
    summary = run_heatmap(
        inspector,
        refs,
        lambda path: "bolt",
        pictures,
        Pace(2, 1),
        lambda ref, result: observed.append((ref, result)),
    )
    return summary, observed


def test_every_kind_of_picture_is_drawn(inspector, ref, tmp_path):
    pictures = Pictures(tmp_path / "out", sheets=True, experts_layer=4)
    summary, ((_, result),) = draw(inspector, [ref], pictures)
    assert (summary.images, summary.failed) == (1, 0)
    paths = pictures.written(ref.name)
    assert set(paths) == {"heatmaps", "sheets", "experts"}
    assert all(path.is_file() for path in paths.values())
    assert (tmp_path / "out" / OUTPUT_MARKER).exists()
    pixels = decode(ref.path).pixels
    drawn = np.asarray(Image.open(paths["heatmaps"]))
    assert np.array_equal(drawn, result.overlay(pixels))


def test_a_large_photograph_gets_a_jpeg_in_place_of_an_earlier_png(inspector, ref, tmp_path):
    pictures = Pictures(tmp_path / "out")
    draw(inspector, [ref], pictures)
    assert [path.name for path in (tmp_path / "out" / "heatmaps" / "left").iterdir()] == ["a.png"]
    save_image(ref.path, width=2001, height=1000)
    draw(inspector, [ref], pictures)
    assert [path.name for path in (tmp_path / "out" / "heatmaps" / "left").iterdir()] == [
        "a.png.jpg"
    ]
    with pytest.raises(UsageError, match=r"a\.png\.jpg exists; use `overwrite`"):
        pictures.refuse_existing([ref])


def test_existing_pictures_are_refused_by_name(inspector, ref, tmp_path):
    pictures = Pictures(tmp_path / "out")
    pictures.refuse_existing([ref])
    draw(inspector, [ref], pictures)
    with pytest.raises(UsageError, match=r"a\.png exists; use `overwrite`"):
        pictures.refuse_existing([ref])


def test_a_mask_has_the_name_of_its_image_with_or_without_a_suffix(tmp_path):
    masks = tmp_path / "masks"
    (masks / "left").mkdir(parents=True)
    for name in ("left/a_mask.bmp", "b.png", "ab.png"):
        (masks / name).write_bytes(b"")
    pictures = Pictures(tmp_path / "out", masks=masks)
    assert pictures.mask_for("left/a.png") == masks / "left" / "a_mask.bmp"
    assert pictures.mask_for("b.jpg") == masks / "b.png"
    assert pictures.mask_for("right/a.png") is None
    assert pictures.mask_for("a.png") is None
    assert Pictures(tmp_path, masks=masks / "b.png").mask_for("any.png") == masks / "b.png"


def test_an_unreadable_mask_is_the_error_of_its_image(inspector, ref, tmp_path):
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"not a picture")
    summary, ((_, result),) = draw(
        inspector, [ref], Pictures(tmp_path / "out", sheets=True, masks=mask)
    )
    assert summary.failed == 1
    assert str(mask) in result.error
