from __future__ import annotations

import numpy as np

from moeclip_cli.inspection.regions import find_regions


def make_map(*boxes, size=100, value=0.8):
    probability = np.full((size, size), 0.1, np.float32)
    for x0, y0, x1, y1 in boxes:
        probability[y0:y1, x0:x1] = value
    return probability


def test_boxes_are_in_original_pixels_largest_first():
    probability = make_map((10, 20, 20, 30), (50, 50, 90, 70))
    large, small = find_regions(probability, 0.5, width=1000, height=200)
    assert (large.x0, large.y0, large.x1, large.y1) == (500, 100, 900, 140)
    assert (small.x0, small.y0, small.x1, small.y1) == (100, 40, 200, 60)
    assert large.area_fraction == 0.08
    assert np.isclose(large.peak, 0.8)


def test_threshold_itself_belongs_to_a_region():
    probability = make_map((0, 0, 2, 2), value=0.5)
    assert len(find_regions(probability, 0.5, 100, 100)) == 1
    assert find_regions(probability, 0.51, 100, 100) == ()


def test_diagonal_neighbours_are_one_region():
    assert len(find_regions(make_map((0, 0, 5, 5), (5, 5, 9, 9)), 0.5, 100, 100)) == 1


def test_peak_is_the_regions_own_even_if_another_one_is_in_its_box():
    probability = make_map((0, 0, 50, 3), (0, 0, 3, 50), value=0.6)
    probability[20:25, 20:25] = 0.9
    ring, spot = find_regions(probability, 0.5, 100, 100)
    assert np.isclose(ring.peak, 0.6)
    assert np.isclose(spot.peak, 0.9)


def test_boxes_stay_inside_a_tiny_original():
    (region,) = find_regions(make_map((99, 99, 100, 100)), 0.5, width=1, height=3)
    assert (region.x0, region.y0, region.x1, region.y1) == (0, 2, 1, 3)
