from __future__ import annotations

import pytest
import torch

from moeclip_cli.model import mutual as module
from moeclip_cli.model.mutual import PatchTokens, comparisons, mutual_distances

GRIDS = [(3, 5), (4, 4), (5, 3), (6, 2), (4, 5)]
LEVELS, WIDTH = 2, 16


@pytest.fixture
def levels():
    """Tokens (L, D) of each level of five images with different grids."""
    generator = torch.Generator().manual_seed(0)
    return [
        [torch.randn(rows * columns, WIDTH, generator=generator) for _ in range(LEVELS)]
        for rows, columns in GRIDS
    ]


@pytest.fixture
def images(levels):
    return [PatchTokens.of(tokens, grid) for tokens, grid in zip(levels, GRIDS, strict=True)]


def pooled(tokens, grid, window):
    """Means over a window by their definition; patches outside the grid count as zero."""
    rows, columns = grid
    half = window // 2
    tokens = (tokens - tokens.mean(1, keepdim=True)) / tokens.var(1, False, keepdim=True).sqrt()
    found = torch.zeros(rows * columns, WIDTH)
    for row in range(rows):
        for column in range(columns):
            for y in range(max(0, row - half), min(rows, row + half + 1)):
                for x in range(max(0, column - half), min(columns, column + half + 1)):
                    found[row * columns + column] += tokens[y * columns + x] / window**2
    return found


def naive(levels, windows, share):
    """Distances by their definition, patch by patch and image by image."""
    found = [torch.zeros(rows * columns) for rows, columns in GRIDS]
    for level in range(LEVELS):
        for window in windows:
            maps = [
                pooled(tokens[level], grid, window)
                for tokens, grid in zip(levels, GRIDS, strict=True)
            ]
            for number, patches in enumerate(maps):
                for index, patch in enumerate(patches):
                    distances = sorted(
                        1 - torch.cosine_similarity(patch, other, dim=1).max().item()
                        for owner, other in enumerate(maps)
                        if owner != number
                    )
                    lowest = distances[: max(1, round(share * len(distances)))]
                    found[number][index] += sum(lowest) / len(lowest)
    return [
        (each / LEVELS / len(windows)).view(grid) for each, grid in zip(found, GRIDS, strict=True)
    ]


@pytest.mark.parametrize(("windows", "share"), [((1,), 0.3), ((1, 3, 5), 0.6), ((3,), 1.0)])
def test_distances_are_those_of_a_double_loop(levels, images, windows, share):
    found = mutual_distances(images, windows, share)
    assert [tuple(each.shape) for each in found] == GRIDS
    for each, expected in zip(found, naive(levels, windows, share), strict=True):
        torch.testing.assert_close(each, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("block", [20, 600])
def test_blocks_and_order_change_nothing(images, block, monkeypatch):
    expected = mutual_distances(images)
    monkeypatch.setattr(module, "_BLOCK", block)
    for each, other in zip(mutual_distances(images[::-1])[::-1], expected, strict=True):
        torch.testing.assert_close(each, other, atol=1e-5, rtol=0)


def test_the_patch_that_no_other_image_has_stands_out():
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(25, WIDTH, generator=generator)
    images = []
    for number in range(6):
        tokens = kinds[torch.randperm(25, generator=generator)]
        if number == 4:
            tokens[7] = torch.randn(WIDTH, generator=generator)
        images.append(PatchTokens.of([tokens], (5, 5)))
    found = torch.stack(mutual_distances(images, windows=(1,))).flatten(1)
    assert found.argmax().item() == 4 * 25 + 7
    assert found.flatten().topk(2).values[1] < 1e-3


def test_every_comparison_is_reported(images):
    reports = []
    mutual_distances(images, observe=lambda done, total: reports.append((done, total)))
    total = comparisons(len(images)) * LEVELS * 3
    assert reports[-1] == (total, total)
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)


def test_one_image_has_nothing_to_be_compared_with(images):
    with pytest.raises(ValueError, match="another one"):
        mutual_distances(images[:1])


def test_numbers_that_are_not_finite_are_recognised(levels):
    levels[0][1][3, 2] = float("nan")
    assert not PatchTokens.of(levels[0], GRIDS[0]).finite
    assert PatchTokens.of(levels[1], GRIDS[1]).finite
