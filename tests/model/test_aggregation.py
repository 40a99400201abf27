from __future__ import annotations

import torch

from moeclip_cli.model.aggregation import WINDOWS, aggregate


def mean_with_counted_padding(patches, grid, window):
    half = window // 2
    means = torch.zeros_like(patches)
    for row in range(grid):
        for column in range(grid):
            for y in range(max(0, row - half), min(grid, row + half + 1)):
                for x in range(max(0, column - half), min(grid, column + half + 1)):
                    means[:, row * grid + column] += patches[:, y * grid + x] / window**2
    return means


def test_means_count_the_padding_so_that_borders_are_dimmed():
    torch.manual_seed(0)
    patches = torch.randn(2, 36, 5)
    maps = list(aggregate(patches))
    assert len(maps) == len(WINDOWS)
    for window, pooled in zip(WINDOWS, maps, strict=True):
        expected = mean_with_counted_padding(patches, 6, window)
        assert torch.allclose(pooled, expected, atol=1e-6)
    border = list(aggregate(torch.ones(1, 36, 1)))[1][0, 0, 0]
    assert torch.isclose(border, torch.tensor(4 / 9))


def test_single_window_passes_patches_through():
    patches = torch.randn(1, 25, 3)
    assert [pooled is patches for pooled in aggregate(patches, (1,))] == [True]
