from __future__ import annotations

import numpy as np
import pytest

from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation
from moeclip_cli.evaluation.pro import region_weights


def find_regions(mask):
    """Sets of 8-connected pixels, found by flood fill."""
    left = {tuple(pixel) for pixel in np.argwhere(mask)}
    while left:
        region, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            region.add((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge += near
        yield region


def straightforward_pro(maps, masks, limit=0.3):
    """PRO by its definition, threshold by threshold and region by region."""
    normal = np.concatenate([scores[mask == 0] for scores, mask in zip(maps, masks, strict=True)])
    regions = [
        np.array([scores[pixel] for pixel in region])
        for scores, mask in zip(maps, masks, strict=True)
        for region in find_regions(mask)
    ]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(np.stack(maps))[::-1]:
        rates.append(float(np.mean(normal >= threshold)))
        overlaps.append(float(np.mean([np.mean(region >= threshold) for region in regions])))
    area = 0.0
    for x0, x1, y0, y1 in zip(rates, rates[1:], overlaps, overlaps[1:], strict=False):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            area += (end - x0) * (y0 + y_end) / 2
    return area / limit


def make_images(decimals, count=4, side=16):
    random = np.random.default_rng(3)
    masks = (random.random((count, side, side)) < 0.12).astype(np.uint8)
    masks[0] = 0
    masks[1, 4:12, 4:12] = 1
    maps = random.normal(size=masks.shape) + masks * random.uniform(0, 3, (count, 1, 1))
    return np.round(maps, decimals).astype(np.float32), masks


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_pro_equals_the_definition(decimals):
    maps, masks = make_images(decimals)
    evaluation = PixelEvaluation()
    for scores, mask in zip(maps, masks, strict=True):
        evaluation.update(scores, mask)
    assert evaluation.compute().pro == pytest.approx(straightforward_pro(maps, masks), abs=1e-7)


def test_regions_have_equal_weight_and_connect_at_corners():
    mask = np.zeros((8, 8), bool)
    mask[0, :4] = True
    mask[4, 4] = mask[5, 5] = True
    np.testing.assert_allclose(region_weights(mask), [1 / 4] * 4 + [1 / 2] * 2)


def test_a_detected_small_region_counts_as_much_as_a_missed_large_one():
    mask = np.zeros((20, 20), np.uint8)
    mask[0, 0] = 1
    mask[5:15, 5:15] = 1
    scores = np.where(mask, -1.0, 0.0)
    scores[0, 0] = 1.0
    evaluation = PixelEvaluation()
    evaluation.update(scores, mask)
    # The overlap is 1/2 at every threshold but the lowest, which detects all normal pixels too.
    assert evaluation.compute().pro == pytest.approx(0.5)
