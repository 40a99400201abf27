"""Patch average aggregation: each token map at three sizes of neighbourhood (paper section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

WINDOWS = (1, 3, 5)


def aggregate(
    patches: Tensor, windows: tuple[int, ...] = WINDOWS, grid: tuple[int, int] | None = None
) -> Iterator[Tensor]:
    """Yield `patches` averaged over square windows, one map per window size.

    The zero padding counts in the mean, so patches at the border are dimmed, as in the paper.

    Args:
        patches: (B, L, D), row by row, without prefix tokens.
        windows: odd window sizes in patches.
        grid: rows and columns of the patches; a square by default.

    Yields:
        (B, L, D) per window.
    """
    if grid is None:
        side = round(patches.shape[1] ** 0.5)
        grid = (side, side)
    # The tokens' layout is channels-last, which the pooling takes without a copy.
    plane = patches.transpose(1, 2).unflatten(-1, grid)
    for window in windows:
        if window == 1:
            yield patches
            continue
        pooled = F.avg_pool2d(plane, window, stride=1, padding=window // 2, count_include_pad=True)
        yield pooled.flatten(2).transpose(1, 2)
