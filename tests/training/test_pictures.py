from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from moeclip_cli.model.backbones.clip import CLIP
from moeclip_cli.training.examples import Example, GeneratedExamples
from moeclip_cli.training.pictures import choose_samples, save_sample


@pytest.mark.parametrize(
    ("images", "count", "indices"),
    [(9, 3, [0, 4, 8]), (2, 4, [0, 1]), (5, 1, [0]), (5, 0, [])],
)
def test_samples_are_spread_over_all_images(images, count, indices):
    assert choose_samples(GeneratedExamples(0, images, 70, CLIP.preprocessing), count) == indices


def test_a_sample_shows_image_map_overlay_and_mask(tmp_path):
    mask = np.zeros((70, 70), np.uint8)
    mask[20:40, 20:40] = 1
    example = Example(np.full((70, 70, 3), 120, np.uint8), mask, 1, "bolt", "bolt")
    probability = mask * np.float32(0.9)
    save_sample(tmp_path / "samples" / "one.png", example, 0.8, probability, 0.5)
    save_sample(tmp_path / "samples" / "other.png", example, 0.8, probability, 0.95)
    one, other = (
        np.asarray(Image.open(tmp_path / "samples" / f"{name}.png")) for name in ("one", "other")
    )
    assert one.shape[1] > 4 * 70
    assert not np.array_equal(one, other)
