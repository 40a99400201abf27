from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from moeclip_cli.exports.pillow_resize import resize_to_square

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("height", "width"),
    # Smaller, equal, larger, and on both sides of where Pillow 13 takes the columns first.
    [(1, 1), (20, 37), (70, 70), (5, 900), (900, 5), (100, 100), (130, 100), (131, 100), (71, 69)],
)
def test_pixels_are_those_of_pillow(height, width, interpolation):
    rng = np.random.default_rng(height * width)
    pixels = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    found = resize_to_square(torch.from_numpy(pixels), 70, interpolation)
    for image, resized in zip(pixels, found, strict=True):
        expected = Image.fromarray(image).resize((70, 70), FILTERS[interpolation])
        assert np.array_equal(resized.permute(1, 2, 0).numpy(), np.asarray(expected))
