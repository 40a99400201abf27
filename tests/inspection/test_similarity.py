"""Similarities take windows to the view and maps back to the image."""

from __future__ import annotations

import numpy as np
import pytest
from support.samples import colour_picture

from moeclip_cli.inspection.similarity import Similarity
from moeclip_cli.tiles.grid import Box

WIDTH, HEIGHT = 120, 80
MOVED = Similarity(12, -5, 8, 1.1)


def test_a_matrix_gives_its_similarity_back():
    back = Similarity.of_matrix(MOVED.matrix(WIDTH, HEIGHT), WIDTH, HEIGHT)
    assert vars(back) == pytest.approx(vars(MOVED))


def test_a_positive_shift_is_right_and_down_and_a_rotation_clockwise():
    centre = np.array((WIDTH / 2, HEIGHT / 2, 1))
    right_of_it = centre + np.array((10, 0, 0))
    assert Similarity(3, 4).matrix(WIDTH, HEIGHT) @ centre == pytest.approx((63, 44))
    turned = Similarity(0, 0, 90).matrix(WIDTH, HEIGHT) @ right_of_it
    assert turned == pytest.approx((60, 50))  # y grows downwards


def test_a_window_of_an_image_that_did_not_move_is_its_part():
    pixels = colour_picture(HEIGHT, WIDTH)
    box = Box(10, 20, 50, 70)
    assert np.array_equal(Similarity().cut(pixels, box), pixels[20:70, 10:50])


def test_windows_are_parts_of_the_whole_view():
    pixels = colour_picture(HEIGHT, WIDTH)
    whole = MOVED.cut(pixels, Box(0, 0, WIDTH, HEIGHT))
    part = MOVED.cut(pixels, Box(40, 10, 90, 60))
    off = np.abs(part.astype(int) - whole[10:60, 40:90])
    assert off.max() <= 1


def test_a_window_shows_what_was_shifted_into_it():
    pixels = colour_picture(HEIGHT, WIDTH)
    part = Similarity(12, -5).cut(pixels, Box(20, 20, 60, 60))
    assert np.array_equal(part, pixels[15:55, 32:72])


def test_only_what_the_image_shows_is_covered():
    frame = Box(0, 0, WIDTH, HEIGHT)
    assert Similarity().covered(WIDTH, HEIGHT, frame).all()
    covered = Similarity(12, -5).covered(WIDTH, HEIGHT, frame)
    assert covered[7:, :107].all()
    assert not covered[:4].any()
    assert not covered[:, 110:].any()


def test_a_map_goes_where_the_view_lies_in_the_image():
    values = np.zeros((40, 60), np.float32)
    values[20, 10] = 1  # x 21 and y 41 of the image, before it moves
    moved = MOVED.map_to_image(values, WIDTH, HEIGHT)
    row, column = np.unravel_index(moved.argmax(), moved.shape)
    x, y = MOVED.matrix(WIDTH, HEIGHT) @ (21, 41, 1)
    assert (2 * column + 1, 2 * row + 1) == pytest.approx((x, y), abs=1.5)


def test_the_box_around_a_window_lies_inside_the_image():
    assert Similarity(12, -5).to_image(Box(0, 0, 20, 20), WIDTH, HEIGHT) == (12, 0, 32, 15)
    assert Similarity().to_image(Box(5, 6, 7, 8), WIDTH, HEIGHT) == (5, 6, 7, 8)
    x0, y0, x1, y1 = Similarity(0, 0, 45).to_image(Box(40, 20, 80, 60), WIDTH, HEIGHT)
    assert (x0, y0, x1, y1) == pytest.approx((31, 11, 89, 69), abs=1)
