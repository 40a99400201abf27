from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from moeclip_cli.model.moeclip import Comparison
from moeclip_cli.model.scoring import score, score_scales

GRID, SIZE, MAPS = 6, 84, 3


def make_comparison(images=2, seed=0, grid=GRID):
    generator = torch.Generator().manual_seed(seed)
    patches = torch.rand(MAPS, images, grid * grid, 2, generator=generator) * 0.1
    image = torch.rand(images, 2, generator=generator) - 0.5
    return Comparison(patches, image, ())


def by_hand(values, kernel, sigma):
    """One patch map blurred and resized, through OpenCV instead of torch."""
    plane = values.reshape(GRID, GRID).numpy().astype(np.float64)
    blurred = cv2.GaussianBlur(plane, (kernel, kernel), sigma, borderType=cv2.BORDER_REFLECT_101)
    at = np.linspace(0, GRID - 1, SIZE)
    rows = np.array([np.interp(at, np.arange(GRID), row) for row in blurred])
    return np.array([np.interp(at, np.arange(GRID), column) for column in rows.T]).T


@pytest.mark.parametrize(("domain", "kernel", "sigma"), [("industrial", 7, 1), ("medical", 9, 1.5)])
def test_maps_and_scores_follow_the_formulas(domain, kernel, sigma):
    comparison = make_comparison()
    scores = score(comparison, SIZE, domain)
    for i in range(2):
        raw = probability = 0
        for patches in comparison.patches[:, i]:
            normal, abnormal = (100 * patches).unbind(dim=-1)
            raw = raw + by_hand((abnormal + 1 - normal) / 2, kernel, sigma)
            share = 1 / (1 + torch.exp(normal - abnormal))
            probability = probability + by_hand(share, kernel, sigma) / MAPS
        assert np.allclose(scores.raw_map[i], raw, atol=1e-4)
        assert np.allclose(scores.probability[i], probability, atol=1e-5)
        assert scores.map_max[i] == scores.raw_map[i].max()
        normal, abnormal = comparison.image[i]
        assert scores.image_score[i] == pytest.approx((abnormal + 1) / 2)
        expected = probability.max()
        if domain == "industrial":
            expected = 0.5 * expected + 0.5 / (1 + torch.exp(normal - abnormal))
        assert scores.score[i] == pytest.approx(float(expected), abs=1e-5)


def test_probabilities_and_scores_are_between_0_and_1():
    extreme = Comparison(torch.tensor([[[[0.0, 1.0]] * 25]]), torch.tensor([[-1.0, 1.0]]), ())
    scores = score(extreme, 70, "medical")
    assert scores.score.item() == pytest.approx(1.0)
    assert scores.probability.max() <= 1
    flipped = Comparison(extreme.patches.flip(-1), extreme.image, ())
    assert score(flipped, 70, "medical").score.item() == pytest.approx(0.0, abs=1e-6)


def test_an_image_scores_the_same_alone_and_among_others():
    comparison = make_comparison(images=5)
    together = score(comparison, SIZE, "industrial")
    for i in range(5):
        one = Comparison(comparison.patches[:, i : i + 1], comparison.image[i : i + 1], ())
        alone = score(one, SIZE, "industrial")
        assert torch.allclose(alone.score[0], together.score[i], atol=1e-6)
        assert torch.allclose(alone.raw_map[0], together.raw_map[i], atol=1e-5)


@pytest.mark.parametrize(("weight", "of_image"), [(0.0, 0), (0.75, 0.75), (1.0, 1)])
def test_the_image_weight_is_applied(weight, of_image):
    comparison = make_comparison()
    scores = score(comparison, SIZE, "industrial", weight)
    abnormal = comparison.image.softmax(-1)[:, 1]
    peak = scores.probability.amax((1, 2))
    assert torch.allclose(scores.score, (1 - of_image) * peak + of_image * abnormal)


def test_scales_are_averaged_before_anything_is_compared():
    seen = [make_comparison(), make_comparison(seed=1, grid=5)]
    alone = [score(each, SIZE, "industrial") for each in seen]
    scores = score_scales(seen, SIZE, "industrial")
    for name in ("raw_map", "probability", "image_score"):
        expected = (getattr(alone[0], name) + getattr(alone[1], name)) / 2
        assert torch.allclose(getattr(scores, name), expected, atol=1e-6), name
    assert torch.equal(scores.map_max, scores.raw_map.amax((1, 2)))
    abnormal = torch.stack([each.image for each in seen]).softmax(-1)[..., 1].mean(0)
    peak = scores.probability.amax((1, 2))
    assert torch.allclose(scores.score, (peak + abnormal) / 2)
