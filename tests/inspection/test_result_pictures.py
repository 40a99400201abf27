"""Pictures of a result: the overlay, its file, and the crop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.samples import save_image

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import decode
from moeclip_cli.inspection.result import Region


@pytest.fixture
def image(tmp_path):
    save_image(tmp_path / "part.png", width=120, height=80)
    return tmp_path / "part.png"


@pytest.fixture
def result(inspector, image):
    (found,) = inspector.score(image, prompt="bolt")
    return found


def test_the_overlay_equals_the_file_of_the_command_line(result, image, moeclip, standin):
    run = moeclip("heatmap", *standin.options, image, "--prompt", "bolt", "--out", "out")
    assert run.exit_code == 0, run.stderr
    with Image.open("out/heatmaps/part.png") as written:
        # Another number of threads can round a score, and so a shade, the other way.
        difference = result.overlay().astype(int) - np.asarray(written).astype(int)
        assert np.abs(difference).max() <= 1
    result.save("own/overlay.png")
    with Image.open("own/overlay.png") as written:
        assert np.array_equal(result.overlay(), np.asarray(written))
    result.save("own/overlay.JPG")
    with Image.open("own/overlay.JPG") as written:
        assert written.format == "JPEG"


def test_an_image_in_memory_is_given_again(inspector, image):
    pixels = decode(image).pixels
    (found,) = inspector.score(pixels)
    with pytest.raises(UsageError, match="give it again as `image`"):
        found.overlay()
    assert found.overlay(pixels).shape == pixels.shape
    assert np.array_equal(found.overlay(pixels), found.overlay(image.read_bytes()))


def test_the_crop_is_the_largest_region_with_a_margin(result, image):
    pixels = decode(image).pixels
    marked = replace(result, regions=(Region(40, 20, 60, 30, 0.02, 0.9),))
    assert np.array_equal(marked.crop(margin=0), pixels[20:30, 40:60])
    assert np.array_equal(marked.crop(margin=0.25), pixels[15:35, 35:65])
    corner = replace(result, regions=(Region(100, 70, 120, 80, 0.02, 0.9),))
    assert np.array_equal(corner.crop(), pixels[65:80, 95:120])


def test_without_a_region_the_crop_is_around_the_peak(result, image):
    pixels = decode(image).pixels
    calm = replace(result, regions=(), peak_x=3, peak_y=40)
    assert np.array_equal(calm.crop(), pixels[30:50, 0:13])


def test_wrong_use_is_one_sentence(result, image):
    with pytest.raises(UsageError, match=r"overlay.tiff must end in .png, .jpg, .jpeg"):
        result.save("overlay.tiff")
    with pytest.raises(UsageError, match="`image` has 60 x 40 pixels, but 120 x 80 were scored"):
        result.crop(np.zeros((40, 60, 3), np.uint8))
    image.unlink()
    with pytest.raises(ImageError, match="not found"):
        result.overlay()


def test_an_image_that_was_not_scored_has_no_pictures(inspector):
    (failed,) = inspector.score("gone.png")
    for draw in (failed.overlay, failed.crop):
        with pytest.raises(UsageError, match="has no anomaly map: The file was not found"):
            draw()
