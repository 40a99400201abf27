"""Aligned images score as their reference view does, with results in their own frame."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from support.samples import colour_picture

from moeclip_cli import Profile
from moeclip_cli.errors import UsageError
from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.similarity import Similarity, of_pixels

HEIGHT, WIDTH = 240, 320
MOVE = Similarity(20, -12, 4)


def scene(seed=0):
    """A picture with edges and without symmetry."""
    pixels = np.ascontiguousarray(colour_picture(HEIGHT, WIDTH, seed=7) // 2 + 60)
    rng = np.random.default_rng(seed)
    for _ in range(25):
        x, y, side = (int(value) for value in rng.integers((0, 0, 8), (WIDTH, HEIGHT, 30)))
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        cv2.rectangle(pixels, (x, y), (x + side, y + side), colour, -1)
    return pixels


def moved(pixels, similarity=MOVE):
    matrix = of_pixels(similarity.matrix(WIDTH, HEIGHT))
    return cv2.warpAffine(pixels, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)


@pytest.fixture
def view(tmp_path):
    save_picture(tmp_path / "view.png", scene(), "png")
    return tmp_path / "view.png"


def inside_middle(result, point):
    """Where a point of the view lies in the image of a result."""
    return result.moved.matrix(WIDTH, HEIGHT) @ (*point, 1)


def test_the_view_itself_scores_as_without_alignment(load, view):
    (alone,), (result,) = load().score(view), load(align=view).score(view)
    assert result.score == pytest.approx(alone.score, abs=1e-4)
    assert np.abs(result.probability - alone.probability).max() < 1e-3
    assert (result.peak_x, result.peak_y) == (alone.peak_x, alone.peak_y)


@pytest.mark.parametrize("options", [{}, {"tile": 100}], ids=["whole", "tiles"])
def test_a_moved_image_scores_like_the_view_and_is_told_how_far(load, view, options):
    inspector = load(align=view, region="25%,25%,75%,75%", **options)
    (still,), (result,) = inspector.score(view), inspector.score(moved(scene()))
    assert result.score == pytest.approx(still.score, abs=0.02)
    row = result.row()
    assert (row.shift_x, row.shift_y) == pytest.approx((20, -12), abs=0.3)
    assert (row.rotation, row.scale) == pytest.approx((4, 1), abs=0.1)
    assert (result.width, result.height) == (WIDTH, HEIGHT)
    x, y = inside_middle(result, (still.peak_x, still.peak_y))
    assert (result.peak_x, result.peak_y) == pytest.approx((x, y), abs=12)  # two pixels of the map


def test_what_the_image_does_not_show_and_what_is_ignored_is_zero(load, view):
    (result,) = load(align=view, ignore="0,0,50%,100%").score(moved(scene()))
    inspected = result.inspected(HEIGHT, WIDTH)
    assert result.anomaly_map[inspected].max() > 0
    grown = cv2.dilate(inspected.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
    assert result.anomaly_map[~grown].max() == 0
    # The ignored half, and the triangles beyond the right edge of the view.
    left, right = (inside_middle(result, (x, HEIGHT / 2)) for x in (0.45 * WIDTH, 0.55 * WIDTH))
    assert not inspected[int(left[1]), int(left[0])]
    assert inspected[int(right[1]), int(right[0])]
    picture = result.overlay(moved(scene()), legend=False)
    assert picture.shape == (HEIGHT, WIDTH, 3)


def test_what_lies_beyond_the_view_changes_nothing(load, view):
    inspector = load(align=view)
    pixels = moved(scene())
    inside = np.full((HEIGHT, WIDTH), 255, np.uint8)
    beyond = moved(inside) == 0
    assert beyond.mean() > 0.02
    other = pixels.copy()
    other[beyond] = 0
    pixels[beyond] = 200
    (first,), (second,) = inspector.score(pixels), inspector.score(other)
    assert second.score == pytest.approx(first.score, abs=0.02)


def test_references_are_aligned_too(load, view):
    good = [moved(scene(), Similarity(number, 2 * number, number)) for number in (-3, 2, 4)]
    inspector = load(align=view, references=good, region="25%,25%,75%,75%")
    without = load(references=good, region="25%,25%,75%,75%")
    turned = moved(scene(), Similarity(-20, 10, 5))
    (aligned,), (unaligned,) = inspector.score(turned), without.score(turned)
    assert aligned.score < unaligned.score


def test_turned_references_are_refused(load, view):
    with pytest.raises(UsageError, match="`reference_rotations` turns the parts"):
        load(align=view, references=[scene()], reference_rotations=4)


def test_an_image_that_cannot_be_aligned_has_an_error_and_others_go_on(load, view):
    images = [scene(), scene(seed=9), np.zeros((50, 90, 3), np.uint8), moved(scene())]
    found = list(load(align=view).score(images))
    assert [result.error is None for result in found] == [True, False, False, True]
    assert "could not be aligned with view.png" in found[1].error
    assert "The reference view is for 320 x 240 pixels" in found[2].error
    assert not any(result.temporary for result in found)


def test_a_region_that_the_image_does_not_show_is_an_error(load, view):
    inspector = load(align=view, region="0,0,20,20")
    (result,) = inspector.score(moved(scene(), Similarity(-60, -40)))
    assert result.error == "The image shows no pixel of the region; check `region` and `align`."


def test_a_profile_brings_its_view_and_refuses_another(load, view, tmp_path):
    settings = load(align=view, tile=64).settings
    profile = Profile(0.5, 0.1, 30, "object", json.loads(json.dumps(settings)))
    view.rename(tmp_path / "gone.png")
    inspector = load(profile=profile)
    assert inspector.settings == settings
    save_picture(tmp_path / "other.png", scene(seed=3), "png")
    with pytest.raises(UsageError, match=r"reference view is view.png .* here it is other.png"):
        load(profile=profile, tile=64, align=tmp_path / "other.png")
    with pytest.raises(UsageError, match=r"reference view is view.png .* here it is none"):
        load(profile=profile, tile=64)
    profile.settings["reference_view_picture"] = "AAAA"
    with pytest.raises(UsageError, match="The profile is damaged"):
        load(profile=profile)
