"""Registration finds how far an image moved, whatever else differs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.reference_view import ReferenceView
from moeclip_cli.inspection.similarity import Similarity, of_pixels

EXAMPLES = Path(__file__).parents[2] / "examples" / "images"
PICTURES = ["bracket/good_01.jpg", "wood/good_01.jpg", "gravel/good_01.png", "retina/good_01.jpg"]
# Shares of the sides, degrees and a factor.
MOVES = [
    (0.1, -0.1, 5.0, 1.0),
    (-0.1, 0.06, -5.0, 1.03),
    (0.0, 0.0, 2.5, 0.97),
    (0.0, 0.0, 0.0, 1.0),
]


def read(name):
    return cv2.cvtColor(cv2.imread(str(EXAMPLES / name)), cv2.COLOR_BGR2RGB)


def moved(pixels, similarity, border=cv2.BORDER_CONSTANT):
    height, width = pixels.shape[:2]
    matrix = of_pixels(similarity.matrix(width, height))
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=border)


def disturbed(pixels, seed):
    """Another brightness and contrast, noise, and a defect."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    noise = rng.normal(0, 4, pixels.shape)
    found = (0.8 * pixels + 15 + noise).clip(0, 255).astype(np.uint8)
    cv2.circle(found, (int(0.4 * width), int(0.6 * height)), width // 14, (10, 10, 10), -1)
    return found


def farthest(first, second, width, height):
    """How far apart a corner of the view is at two similarities, in pixels."""
    corners = np.array(((0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1))).T
    off = (first.matrix(width, height) - second.matrix(width, height)) @ corners
    return np.hypot(*off).max()


def view_of(tmp_path, pixels):
    save_picture(tmp_path / "view.png", pixels, "png")
    return ReferenceView.read(tmp_path / "view.png")


@pytest.mark.parametrize("name", PICTURES)
def test_every_corner_is_found_to_a_pixel(tmp_path, name):
    pixels = read(name)
    height, width = pixels.shape[:2]
    view = view_of(tmp_path, pixels)
    for number, (across, down, rotation, scale) in enumerate(MOVES):
        true = Similarity(across * width, down * height, rotation, scale)
        found = view.locate(disturbed(moved(pixels, true), number))
        assert farthest(found, true, width, height) < 1


def test_an_image_of_half_the_size_is_found_too(tmp_path):
    pixels = read("bracket/good_01.jpg")
    true = Similarity(60, 30, 3)
    smaller = cv2.resize(moved(pixels, true), (500, 350), interpolation=cv2.INTER_AREA)
    found = view_of(tmp_path, pixels).locate(smaller)
    assert farthest(found, true.resized(0.5), 500, 350) < 1


def test_the_view_itself_has_not_moved(tmp_path):
    pixels = read("wood/good_01.jpg")
    found = view_of(tmp_path, pixels).locate(pixels)
    assert farthest(found, Similarity(), *pixels.shape[1::-1]) < 0.01


def test_another_picture_is_not_aligned(tmp_path):
    view = view_of(tmp_path, read("gravel/good_01.png"))
    with pytest.raises(ImageError, match=r"with view.png: the correlation .* must be 0.6"):
        view.locate(read("grass/good_01.jpg"))
    with pytest.raises(ImageError, match="could not be aligned"):
        view.locate(np.full((512, 512, 3), 90, np.uint8))


@pytest.mark.parametrize(
    ("far", "told"),
    [
        (Similarity(160, 0), "160 and 0 pixels, 0 degrees, scale 1.00"),
        (Similarity(0, 0, 60), "0 and 0 pixels, 60 degrees, scale 1.00"),
        (Similarity(0, 0, 0, 0.7), "0 and 0 pixels, 0 degrees, scale 0.70"),
    ],
)
def test_an_image_that_moved_too_far_is_told_how_far(tmp_path, far, told):
    pixels = read("gravel/good_01.png")
    with pytest.raises(ImageError, match="too far from view.png") as caught:
        view_of(tmp_path, pixels).locate(moved(pixels, far, cv2.BORDER_REFLECT))
    assert told in str(caught.value)


def test_an_image_of_another_aspect_ratio_is_refused(tmp_path):
    view = view_of(tmp_path, read("cup/good_01.jpg"))
    with pytest.raises(ImageError, match=r"reference view is for 600 x 400 .* has 400 x 600"):
        view.locate(read("cup/good_01.jpg").transpose(1, 0, 2).copy())


def test_a_view_without_edges_or_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="shows nothing that images can be aligned with"):
        view_of(tmp_path, np.full((40, 40, 3), 90, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"The reference view .*broken\.png cannot be read: "):
        ReferenceView.read(tmp_path / "broken.png")
    with pytest.raises(UsageError, match=r"absent\.png cannot be read: "):
        ReferenceView.read(tmp_path / "absent.png")


def test_the_settings_of_a_view_bring_it_back(tmp_path):
    view = view_of(tmp_path, read("bracket/good_01.jpg"))
    again = ReferenceView.from_settings(view.settings)
    assert again.settings == view.settings
    assert (again.name, again.size, again.grey.shape) == ("view.png", (1000, 700), (358, 512))
    other = view_of(tmp_path, read("cup/good_01.jpg"))
    assert other.settings["reference_view_digest"] != view.settings["reference_view_digest"]
