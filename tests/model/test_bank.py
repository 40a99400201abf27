from __future__ import annotations

import pytest
import torch

from moeclip_cli.model import bank as module
from moeclip_cli.model.bank import PatchBank, image_score

LEVELS, PATCHES, WIDTH = 2, 9, 16


@pytest.fixture
def references():
    generator = torch.Generator().manual_seed(0)
    return [
        [torch.randn(PATCHES, WIDTH, generator=generator) for _ in range(LEVELS)] for _ in range(3)
    ]


@pytest.fixture
def tokens():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, PATCHES, WIDTH, generator=generator) for _ in range(LEVELS)]


def naive(references, tokens, without=(-1, -1)):
    """Distances by their definition, in three loops."""
    found = torch.zeros(len(tokens[0]), PATCHES)
    for image in range(len(tokens[0])):
        for patch in range(PATCHES):
            for level in range(LEVELS):
                nearest = max(
                    torch.cosine_similarity(tokens[level][image, patch], other, dim=0).item()
                    for number, reference in enumerate(references)
                    if number != without[image]
                    for other in reference[level]
                )
                found[image, patch] += (1 - nearest) / LEVELS
    return found


def test_distances_are_those_of_a_double_loop(references, tokens):
    found = PatchBank.of(references).distances(tokens)
    torch.testing.assert_close(found, naive(references, tokens), atol=1e-3, rtol=0)


def test_a_reference_can_be_left_out(references, tokens):
    found = PatchBank.of(references).distances(tokens, torch.tensor([1, -1]))
    torch.testing.assert_close(found, naive(references, tokens, (1, -1)), atol=1e-3, rtol=0)


def test_blocks_and_order_change_nothing(references, tokens, monkeypatch):
    expected = PatchBank.of(references).distances(tokens)
    monkeypatch.setattr(module, "_BLOCK", 4 * 2 * PATCHES)
    for order in (references, references[::-1]):
        found = PatchBank.of(order).distances(tokens)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_patch_of_the_bank_has_no_distance(references):
    tokens = [level[None] for level in references[1]]
    assert PatchBank.of(references).distances(tokens).max() < 1e-3


def test_the_image_score_is_the_mean_of_the_largest_distances():
    distances = torch.linspace(0, 1, 1000)[torch.randperm(1000)][None]
    assert image_score(distances).item() == pytest.approx(0.9955, abs=1e-3)
    assert image_score(torch.tensor([[0.1, 0.7]])).item() == pytest.approx(0.7)


SUBSETS = ((0,), (2, 0), (0, 1, 2))


def test_subsets_are_compared_as_banks_of_their_own(references, tokens, monkeypatch):
    bank = PatchBank.of(references)
    for block in (module._BLOCK, 4 * 2 * PATCHES):
        monkeypatch.setattr(module, "_BLOCK", block)
        found = bank.subset_distances(tokens, SUBSETS)
        assert found.shape == (2, len(SUBSETS), PATCHES)
        for number, subset in enumerate(SUBSETS):
            alone = PatchBank.of([references[i] for i in subset]).distances(tokens)
            torch.testing.assert_close(found[:, number], alone, atol=1e-6, rtol=0)


def test_a_reference_can_be_left_out_of_subsets(references, tokens):
    found = PatchBank.of(references).subset_distances(tokens, SUBSETS, torch.tensor([2, -1]))
    others = PatchBank.of(references[:1]).distances(tokens)
    both = PatchBank.of([references[0], references[2]]).distances(tokens)
    torch.testing.assert_close(found[0, 1], others[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[1, 1], both[1], atol=1e-6, rtol=0)
