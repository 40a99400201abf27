"""Regions of interest: boxes, masks and polygons on images of any size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.inspection.roi import RegionOfInterest, any_in_cells
from moeclip_cli.inspection.roi_files import read_roi
from moeclip_cli.tiles.grid import Box

WHOLE = Box(0, 0, 400, 200)


def save_mask(path, *boxes, size=(400, 200)):
    mask = Image.new("L", size)
    for box in boxes:
        mask.paste(255, box)
    mask.save(path)
    return path


def save_labelme(path, *shapes, size=(400, 200)):
    content = {
        "version": "5.4.1", "flags": {}, "imagePath": "a.png", "imageData": None,
        "imageWidth": size[0], "imageHeight": size[1],
        "shapes": [{"label": "a", "points": points, "shape_type": kind} for kind, points in shapes],
    }  # fmt: skip
    Path(path).write_text(json.dumps(content))
    return path


def inside(roi, size=(400, 200), window=None):
    return roi.covers(*size, window or Box(0, 0, *size))


def rectangle(box, size=(400, 200)):
    mask = np.zeros((size[1], size[0]), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def all_kinds():
    """One rectangle, 40 to 100 across and 50 to 150 down, in every form."""
    box = (40, 50, 100, 150)
    corners = [(40, 50), (100, 50), (100, 150), (40, 150)]
    yield "40,50,100,150"
    yield "10%, 25%, 25%, 75%"
    yield "40px,25%,25%,150 px"
    yield save_mask("mask.png", box)
    yield save_labelme("rectangle.json", ("rectangle", [corners[0], corners[2]]))
    yield save_labelme("polygon.json", ("polygon", corners))


def test_every_form_of_a_rectangle_gives_the_same_pixels():
    expected = rectangle((40, 50, 100, 150))
    for where in all_kinds():
        roi = read_roi(where)
        found = inside(roi)
        # A polygon includes its edge.
        assert (found != expected).sum() <= 2 * (60 + 100), where
        assert roi.bounds(400, 200) == Box(40, 50, 100, 150), where
        half = roi.covers(400, 200, WHOLE, (100, 200))
        assert (half != expected[::2, ::2]).sum() <= 60 + 100, where


def test_a_window_sees_its_part_of_every_form():
    window = Box(30, 60, 90, 170)
    for where in all_kinds():
        roi = read_roi(where)
        found = roi.covers(400, 200, window)
        assert np.array_equal(found, inside(roi)[60:170, 30:90]), where


def test_masks_and_polygons_are_scaled_to_images_of_their_aspect_ratio():
    for where in (
        save_mask("mask.png", (40, 50, 100, 150)),
        save_labelme("polygon.json", ("rectangle", [(40, 50), (100, 150)])),
    ):
        roi = read_roi(where)
        assert roi.bounds(800, 400) == Box(80, 100, 200, 300)
        assert inside(roi, (800, 400)).sum() == pytest.approx(120 * 200, rel=0.02)
        assert roi.bounds(133, 67).x0 == 13  # rounded to whole pixels
        with pytest.raises(ImageError, match="is for 400 x 200 pixels, the image has 400 x 300"):
            roi.bounds(400, 300)


def test_what_is_ignored_is_left_out_of_the_region():
    roi = read_roi(["0,0,100,100", "200,0,300,100"], "50,0,250,50")
    expected = rectangle((0, 0, 100, 100)) | rectangle((200, 0, 300, 100))
    expected &= ~rectangle((50, 0, 250, 50))
    assert np.array_equal(inside(roi), expected)
    assert roi.bounds(400, 200) == Box(0, 0, 300, 100)
    only = read_roi(ignore="0,0,10,10")
    assert inside(only).sum() == 400 * 200 - 100
    assert read_roi() is None


def test_a_region_survives_json():
    roi = read_roi(list(all_kinds()), "0,0,60,60")
    text = json.dumps(roi.to_json())
    again = RegionOfInterest.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert np.array_equal(inside(again), inside(roi))


@pytest.mark.parametrize(
    "content",
    [
        None, [], {"region": [{}], "ignore": []}, {"region": [{"box": "a"}], "ignore": []},
        {"region": [{"mask": "!"}], "ignore": []}, {"region": [{"mask": ""}], "ignore": []},
        {"region": [{"mask": "AAAA"}], "ignore": []},
        {"region": [{"polygon": [[0, 0], [1, 1]], "size": [2, 2]}], "ignore": []},
        {"region": [{"polygon": [[0, 0], [1, 1], [0, 1]], "size": [0, 2]}], "ignore": []},
    ],
)  # fmt: skip
def test_damaged_json_is_noticed(content):
    with pytest.raises((ValueError, TypeError, LookupError, AttributeError)):
        RegionOfInterest.from_json(content)


def test_a_box_is_cut_at_the_edges_and_refused_outside():
    assert read_roi("-50,-50,100,5000").bounds(400, 200) == Box(0, 0, 100, 200)
    with pytest.raises(ImageError, match="outside the image, which has 400 x 200 pixels"):
        read_roi("400,0,500,100").bounds(400, 200)


def bad_files():
    save_mask("black.png")
    Path("broken.png").write_text("no picture")
    Path("text.json").write_text("no JSON")
    Path("other.json").write_text("{}")
    save_labelme("none.json")
    save_labelme("circle.json", ("circle", [(1, 1), (2, 2)]))
    save_labelme("line.json", ("polygon", [(1, 1), (2, 2)]))


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("10,10,10,20", "The box 10,10,10,20 is empty"),
        ("50%,0,40%,10", "is empty; give the left, top, right and bottom edge"),
        ("1,2,3", "1,2,3 is neither a file with a region nor a box such as"),
        ("missing.png", "missing.png is neither a file"),
        ("black.png", "The mask black.png has no white pixel; paint white what counts"),
        ("broken.png", "The mask broken.png cannot be read"),
        ("text.json", "text.json is neither a file of LabelMe"),
        ("other.json", "other.json is neither a file of LabelMe"),
        ("none.json", "none.json contains no shape"),
        ("circle.json", "of the kind circle with 2 points; only polygons and rectangles"),
        ("line.json", "of the kind polygon with 2 points"),
    ],
)
def test_what_is_no_region_is_refused_in_one_sentence(where, sentence):
    bad_files()
    with pytest.raises(UsageError, match=sentence):
        read_roi(where)


def test_a_cell_counts_if_any_of_its_pixels_does():
    mask = np.zeros((100, 300), bool)
    mask[57, 123] = True
    found = any_in_cells(mask, 10, 30)
    assert found.sum() == 1
    assert found[5, 12]
    assert any_in_cells(mask, 200, 600).sum() == 4
