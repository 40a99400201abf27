from __future__ import annotations

import pytest

from moeclip_cli.model.input_size import MAX_ASPECT, MIN_GRID, input_size


@pytest.mark.parametrize("side", [70, 224, 448, 518])
def test_a_square_image_is_seen_as_a_square_of_that_side(side):
    assert input_size(1000, 1000, side, 14) == (side, side)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1080, 1920), (2000, 1000), (900, 300)])
def test_the_aspect_ratio_is_kept_in_about_as_many_pixels(height, width):
    rows, columns = input_size(height, width, 448, 14)
    assert rows % 14 == 0 and columns % 14 == 0
    assert rows / columns == pytest.approx(height / width, rel=0.05)
    assert rows * columns == pytest.approx(448 * 448, rel=0.05)
    assert input_size(width, height, 448, 14) == (columns, rows)


def test_extreme_ratios_are_squeezed():
    assert input_size(100, 10_000, 448, 14) == input_size(100, 100 * int(MAX_ASPECT), 448, 14)
    assert input_size(1, 200_000_000, 448, 14) == (224, 896)


@pytest.mark.parametrize("grid", range(MIN_GRID, 20))
def test_there_are_always_enough_patches_to_blur(grid):
    for ratio in (0.01, 0.3, 0.5, 0.9, 1.1, 3, 100):
        assert min(input_size(1000, round(1000 * ratio), grid * 14, 14)) >= MIN_GRID * 14
