from __future__ import annotations

import numpy as np

from moeclip_cli.pictures.peak import find_peak


def test_the_peak_of_the_map_is_in_the_middle_of_its_map_pixel():
    probability = np.full((100, 100), 0.1, np.float32)
    probability[30, 70] = 0.4
    value, x, y = find_peak(probability, width=1000, height=200)
    assert np.isclose(value, 0.4)
    assert (x, y) == (705, 61)


def test_the_peak_is_a_pixel_of_a_tiny_original():
    probability = np.zeros((100, 100), np.float32)
    probability[99, 99] = 0.8
    assert find_peak(probability, width=1, height=3)[1:] == (0, 2)
