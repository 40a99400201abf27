"""Measured regions: boxes, rotated boxes, areas and outlines in original pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moeclip_cli.inspection.measurement import measure_regions
from moeclip_cli.inspection.regions import find_regions


def test_a_rectangle_has_its_sides_area_and_outline_at_the_scale_of_the_image():
    probability = np.zeros((100, 200), np.float32)
    probability[20:30, 40:80] = 0.6
    probability[25, 50] = 0.9
    (found,) = measure_regions(probability, 0.5, 400, 200)
    assert (found.x0, found.y0, found.x1, found.y1) == (80, 40, 160, 60)
    assert (found.centre_x, found.centre_y) == pytest.approx((120, 50))
    assert (found.length, found.width) == pytest.approx((80, 20))
    assert found.angle == pytest.approx(0, abs=1e-4)
    assert found.area == 80 * 20
    assert found.peak == pytest.approx(0.9)
    assert found.mean == pytest.approx((399 * 0.6 + 0.9) / 400, abs=1e-6)
    outline = np.array(found.outline)
    assert outline.min(axis=0) == pytest.approx((80, 40), abs=0.6)
    assert outline.max(axis=0) == pytest.approx((160, 60), abs=0.6)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 160])
def test_a_rotated_box_has_the_direction_of_a_scratch(degrees):
    canvas = np.zeros((400, 400), np.float32)
    along = np.array((np.cos(np.radians(degrees)), np.sin(np.radians(degrees)))) * 120
    ends = [tuple(np.round((200, 200) + sign * along).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(canvas, *ends, 1.0, 5)
    (found,) = measure_regions(canvas, 0.5, 400, 400)
    turned = abs(found.angle - degrees) % 180
    assert min(turned, 180 - turned) < 2
    assert found.length == pytest.approx(240, abs=8)
    assert 4 <= found.width <= 9


def test_a_single_pixel_has_a_size():
    probability = np.zeros((10, 10), np.float32)
    probability[3, 4] = 1
    (found,) = measure_regions(probability, 0.5, 100, 50)
    assert (found.x0, found.y0, found.x1, found.y1) == (40, 15, 50, 20)
    assert (found.length, found.width, found.area) == pytest.approx((10, 5, 50))
    assert len(found.outline) == 4


def test_regions_are_those_of_the_result_without_small_ones():
    rng = np.random.default_rng(0)
    probability = cv2.GaussianBlur(rng.random((120, 160), dtype=np.float32), (0, 0), 2)
    threshold = float(np.quantile(probability, 0.9))
    found = find_regions(probability, threshold, 320, 240)
    measured = measure_regions(probability, threshold, 320, 240)
    assert len(found) > 5
    for one, other in zip(measured, found, strict=True):
        assert (one.x0, one.y0, one.x1, one.y1) == (other.x0, other.y0, other.x1, other.y1)
        assert one.area == pytest.approx(other.area_fraction * 320 * 240)
        assert one.peak == other.peak
        assert one.mean <= one.peak
        assert one.width <= one.length
    large = measure_regions(probability, threshold, 320, 240, min_area=100)
    assert large == tuple(region for region in measured if region.area >= 100)
    assert 0 < len(large) < len(measured)


def test_nothing_is_found_below_the_threshold():
    assert measure_regions(np.zeros((5, 5), np.float32), 0.5, 10, 10) == ()
