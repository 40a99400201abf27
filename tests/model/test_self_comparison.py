from __future__ import annotations

import numpy as np
import pytest
import torch

from moeclip_cli.model.self_comparison import DISTANCES, SelfComparison, self_distances


def by_hand(tokens: np.ndarray, share: float) -> np.ndarray:
    """Distances of every patch of one image (L, D), patch by patch."""
    tokens = tokens - share * tokens.mean(0)
    units = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    count = len(units)
    rows = []
    for number, patch in enumerate(units):
        cosines = units @ patch
        others = np.sort(np.delete(cosines, number))[::-1]
        ranks = [1, 2, 4, 8, max(8, count // 32), max(8, count // 8)]
        rows.append([1 - others[rank - 1] for rank in ranks] + [1 - cosines.mean()])
    found = np.array(rows)
    deviations = (found - found.mean(0)) / (found.std(0, ddof=1) + 1e-3)
    return np.concatenate([found, deviations], axis=1)


@pytest.mark.parametrize("side", [3, 10])
def test_distances_are_those_computed_patch_by_patch(side):
    torch.manual_seed(0)
    tokens = torch.randn(2, side * side, 16)
    found = self_distances(tokens)
    assert found.shape == (2, side * side, DISTANCES)
    for image, expected in zip(found, tokens.numpy().astype(np.float64), strict=True):
        parts = [by_hand(expected, share) for share in (0.0, 0.5)]
        np.testing.assert_allclose(image.numpy(), np.concatenate(parts, 1), atol=2e-4)


def test_images_do_not_influence_each_other():
    torch.manual_seed(0)
    tokens = torch.randn(3, 25, 16)
    together = self_distances(tokens)
    for number in range(3):
        assert torch.allclose(self_distances(tokens[number : number + 1])[0], together[number])


def test_a_strange_patch_has_the_largest_distances():
    torch.manual_seed(0)
    tokens = torch.randn(16) + 0.1 * torch.randn(1, 64, 16)
    tokens[0, 20] = torch.randn(16)
    found = self_distances(tokens)[0]
    assert (found[:, :7].argmax(dim=0) == 20).all()


def test_equal_patches_give_finite_distances():
    assert self_distances(torch.ones(1, 16, 8)).isfinite().all()


def test_at_first_nothing_is_added():
    added = SelfComparison(16)(torch.randn(1, 25, 16))
    assert added.shape == (1, 25, 16)
    assert (added == 0).all()
