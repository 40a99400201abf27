from __future__ import annotations

import pytest
import torch

from moeclip_cli.model.backbones.positions import PositionResampling, resize_positions

BICUBIC = PositionResampling("bicubic", antialias=True)


@pytest.mark.parametrize("prefix", [0, 1, 5])
@pytest.mark.parametrize(
    "resampling", [BICUBIC, PositionResampling("bilinear", antialias=False)], ids=str
)
@pytest.mark.parametrize("grid", [(3, 3), (2, 8)])
def test_positions_of_the_prefix_are_kept_and_the_others_match_a_plain_resize(
    prefix, resampling, grid
):
    positions = torch.randn(prefix + 16, 6)
    resized = resize_positions(positions, grid, prefix, resampling)
    assert resized.shape == (prefix + grid[0] * grid[1], 6)
    assert torch.equal(resized[:prefix], positions[:prefix])
    plane = positions[prefix:].T.reshape(1, 6, 4, 4)
    expected = torch.nn.functional.interpolate(
        plane, grid, mode=resampling.interpolation, antialias=resampling.antialias
    )
    assert torch.allclose(resized[prefix:], expected[0].flatten(1).T, atol=1e-6)


def test_the_trained_grid_is_returned_unchanged():
    positions = torch.randn(1 + 16, 6)
    assert resize_positions(positions, (4, 4), 1, BICUBIC) is positions
