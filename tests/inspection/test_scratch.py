"""What tiles are for: a line one pixel wide in a picture of 16 megapixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moeclip_cli import Inspector

WOOD = Path(__file__).parents[2] / "examples" / "images" / "wood" / "good_01.jpg"
SCRATCH = ((5271, 734), (5349, 1176))


def wood(height, width):
    """The photograph of wood, mirrored at its edges until it fills (height, width, 3)."""
    photograph = cv2.imread(str(WOOD))
    missing = (height - photograph.shape[0], width - photograph.shape[1])
    return np.pad(photograph, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def brushed_metal(seed, height, width):
    """Streaks with noise (height, width, 3) uint8."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    streaks = cv2.GaussianBlur(noise, (0, 0), sigmaX=12, sigmaY=0.8)
    grey = np.clip(128 + 14 * streaks / streaks.std() + 3 * noise, 0, 255)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def scored(pictures, references, **options):
    inspector = Inspector.load(references=references, image_size=168, device="cpu", **options)
    return list(inspector.score(pictures))


@pytest.mark.slow
def test_a_scratch_of_one_pixel_is_found_with_tiles_and_missed_without():
    good = wood(2000, 8000)
    scratched = cv2.line(good.copy(), *SCRATCH, (205, 205, 205), 1)
    references = [good[:1000, :1000], good[311:1311, 173:1173]]

    without, missed = scored([good, scratched], references)
    assert missed.score == pytest.approx(without.score, abs=0.005)
    assert missed.verdict == without.verdict == "normal"

    clean, found = scored([good, scratched], references, tile=448)
    assert (clean.verdict, found.verdict) == ("normal", "anomalous")
    along = np.linspace(*SCRATCH, 100)
    assert np.hypot(*(along - (found.peak_x, found.peak_y)).T).min() < 30


def test_a_mask_that_covers_the_scratch_hides_it(tmp_path):
    # A part of the picture: masks fit the references, too.
    scratched = cv2.line(brushed_metal(2, 1000, 1000), (500, 400), (630, 510), (25, 25, 25), 1)
    mask = np.zeros((1000, 1000), dtype=np.uint8)
    mask[395:515, 495:635] = 255
    cv2.imwrite(str(tmp_path / "scratch.png"), mask)
    references = [brushed_metal(seed, 1000, 1000) for seed in (0, 1)]
    options = {"tile": 600, "threshold": 0.2}
    (seen,) = scored([scratched], references, **options)
    (hidden,) = scored([scratched], references, **options, ignore=str(tmp_path / "scratch.png"))
    assert (seen.verdict, hidden.verdict) == ("anomalous", "normal")
    assert hidden.score < 0.8 * seen.score
