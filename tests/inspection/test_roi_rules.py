"""Regions by folder and name of the images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.samples import colour_picture, save_image

from moeclip_cli import Profile
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.roi_files import read_roi
from moeclip_cli.inspection.roi_rules import RegionRules, regions_from_json
from moeclip_cli.tiles.grid import Box

RULES = """
[region]
"top/" = "masks/top.png"
"side/*.png" = ["0,0,50,50", {polygon = [[60, 60], [90, 60], [60, 90]], size = [100, 100]}]

[ignore]
"*" = "0,0,10,10"
"""


@pytest.fixture
def rules():
    Path("masks").mkdir()
    white = np.zeros((100, 100, 3), np.uint8)
    white[20:40, 30:60] = 255
    save_picture(Path("masks/top.png"), white, "png")
    Path("rules.toml").write_text(RULES)
    return Path("rules.toml")


def inside(roi):
    return roi.covers(100, 100, Box(0, 0, 100, 100))


def test_the_first_pattern_that_matches_decides(rules):
    found = read_roi(rules)
    assert found.for_image("a/top/b/c.jpg").bounds(100, 100) == Box(30, 20, 60, 40)
    side = inside(found.for_image("side/x.png"))
    assert side[:10, 10:50].all()
    assert not side[:10, :10].any()
    assert side[65, 65]
    assert side.sum() == pytest.approx(50 * 50 - 100 + 450, abs=60)


def test_files_are_beside_the_rules(rules, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert read_roi(tmp_path / "rules.toml").for_image("top/a.png").region


def test_an_image_that_no_pattern_matches_has_an_error(rules):
    with pytest.raises(ImageError, match=r"No pattern in \[region\] of rules.toml matches"):
        read_roi(rules).for_image("bottom/a.png")
    Path("ignored.toml").write_text('[ignore]\n"top/" = "0,0,50%,100%"\n')
    ignored = read_roi("ignored.toml")
    assert inside(ignored.for_image("bottom/a.png")).all()
    assert inside(ignored.for_image("top/a.png")).mean() == 0.5


def test_rules_survive_json(rules):
    found = read_roi(rules)
    text = json.dumps(found.to_json())
    again = regions_from_json(json.loads(text))
    assert isinstance(again, RegionRules)
    assert json.dumps(again.to_json()) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must have tables"),
        ('"top/" = "0,0,9,9"', "must have tables"),
        ("[regions]\n", "must have tables"),
        ("[region\n", "not valid TOML"),
        ('[region]\n"top/" = 5', "must be a box, a file"),
        ('[region]\n"top/" = []', "must be a box, a file"),
        ('[region]\n"" = "0,0,9,9"', "not a valid pattern"),
        ('[region]\n"top/" = "absent.png"', "neither a file with a region nor a box"),
        ('[region]\n"top/" = "9,9,0,0"', "is empty"),
        ('[region]\n"top/" = {polygon = [[0, 0]], size = [5, 5]}', "needs `polygon`"),
    ],
)
def test_bad_rules_are_one_sentence(text, sentence):
    Path("bad.toml").write_text(text)
    with pytest.raises(UsageError, match=sentence) as caught:
        read_roi("bad.toml")
    assert "\n" not in str(caught.value)


def test_rules_are_given_alone(rules):
    for region, ignore in (([rules, "0,0,9,9"], ()), (rules, "0,0,9,9"), ((), rules)):
        with pytest.raises(UsageError, match="give it alone, as `region`"):
            read_roi(region, ignore)


def test_each_image_is_scored_in_its_region(load, rules):
    for name in ("top/a.png", "side/b.png", "bottom/c.png"):
        Path(name).parent.mkdir()
        save_image(Path(name), width=100, height=100)
    inspector = load(region=rules)
    top, side, bottom = inspector.score(["top/a.png", "side/b.png", "bottom/c.png"])
    assert bottom.error.startswith("No pattern in [region] of rules.toml")
    for result, name in ((top, "top/a.png"), (side, "side/b.png")):
        assert not result.inspected(100, 100).all()
        assert result.roi == inspector.layout.for_image(name).roi
    assert 30 <= top.peak_x < 60
    (memory,) = inspector.score(colour_picture(100, 100))
    assert "No pattern" in memory.error
    profile = Profile(0.5, 0.1, 30, "object", json.loads(json.dumps(inspector.settings)))
    rules.unlink()
    (again,) = load(profile=profile).score("top/a.png")
    assert again.score == top.score


def coco(**annotation):
    return {
        "images": [{"id": 7, "width": 100, "height": 100, "file_name": "a.png"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1} | annotation],
    }


def test_polygons_and_boxes_of_coco_are_regions():
    Path("polygon.json").write_text(
        json.dumps(coco(segmentation=[[10, 10, 50, 10, 50, 30, 10, 30]]))
    )
    Path("box.json").write_text(json.dumps(coco(bbox=[10, 10, 40, 20])))
    for name in ("polygon.json", "box.json"):
        assert read_roi(name).bounds(200, 200) == Box(20, 20, 100, 60)


@pytest.mark.parametrize(
    "content",
    [
        coco(segmentation={"counts": "abc", "size": [100, 100]}),
        coco(),
        coco(image_id=8, bbox=[0, 0, 5, 5]),
        coco(segmentation=[[1, 2, 3]]),
        {"images": [], "annotations": []},
    ],
)
def test_other_files_of_coco_are_refused(content):
    Path("bad.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="neither a file of LabelMe"):
        read_roi("bad.json")
