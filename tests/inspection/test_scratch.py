"""What tiles are for: a line one pixel wide in a picture of 16 megapixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moeclip_cli import Inspector

SCRATCH = ((5200, 900), (5330, 1010))


def brushed_metal(seed, height, width):
    """Streaks with noise (height, width, 3) uint8."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    streaks = cv2.GaussianBlur(noise, (0, 0), sigmaX=12, sigmaY=0.8)
    grey = np.clip(128 + 14 * streaks / streaks.std() + 3 * noise, 0, 255)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def scored(pictures, **options):
    inspector = Inspector.load(
        references=[brushed_metal(seed, 1000, 1000) for seed in (0, 1)],
        image_size=168,
        threshold=0.2,
        device="cpu",
        **options,
    )
    return list(inspector.score(pictures))


@pytest.mark.slow
def test_a_scratch_of_one_pixel_is_found_with_tiles_and_missed_without():
    good = brushed_metal(2, 2000, 8000)
    scratched = cv2.line(good.copy(), *SCRATCH, (25, 25, 25), 1)

    without, missed = scored([good, scratched])
    assert missed.score == pytest.approx(without.score, abs=0.005)
    assert missed.verdict == without.verdict == "normal"

    clean, found = scored([good, scratched], tile=600)
    assert (clean.verdict, found.verdict) == ("normal", "anomalous")
    assert found.tile.x0 < 5200 and found.tile.x1 > 5200
    (left, top), (right, bottom) = SCRATCH
    assert left - 30 <= found.peak_x <= right + 30
    assert top - 30 <= found.peak_y <= bottom + 30


def test_a_mask_that_covers_the_scratch_hides_it(tmp_path):
    # A part of the picture: masks fit the references, too.
    scratched = cv2.line(brushed_metal(2, 1000, 1000), (500, 400), (630, 510), (25, 25, 25), 1)
    mask = np.zeros((1000, 1000), dtype=np.uint8)
    mask[395:515, 495:635] = 255
    cv2.imwrite(str(tmp_path / "scratch.png"), mask)
    (seen,) = scored([scratched], tile=600)
    (hidden,) = scored([scratched], tile=600, ignore=str(tmp_path / "scratch.png"))
    assert (seen.verdict, hidden.verdict) == ("anomalous", "normal")
    assert hidden.score < 0.8 * seen.score
