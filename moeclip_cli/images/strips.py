"""Strips: a picture as parts of a few rows, which limits the memory of a conversion."""

from __future__ import annotations

from collections.abc import Iterator

STRIP_PIXELS = 1_000_000
"""Pixels of a strip; conversions hold several copies of it in up to 8 bytes per value."""


def strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of each strip, from top to bottom; no rows if `height` is 0."""
    step = max(1, STRIP_PIXELS // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
