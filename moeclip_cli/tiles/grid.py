"""Where the tiles of an image lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from moeclip_cli.errors import UsageError

DEFAULT_OVERLAP = 0.25
"""Share of a tile's side that the next tile covers, too."""

SMALLEST_TILE = 32
"""Side in pixels below which a tile shows too little to be judged."""

LARGEST_OVERLAP = 0.75

# A defect must cover so many patches along its side to be seen well.
_PATCHES_OF_A_DEFECT = 2


class Box(NamedTuple):
    """A part of an image in its pixels.

    Attributes:
        x0, y0: left and top edge.
        x1, y1: right and bottom edge, exclusive.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0


@dataclass(frozen=True)
class Tiling:
    """Squares of one size that cover an area and overlap.

    Attributes:
        side: of a tile in pixels of the image.
        overlap: share of the side that two neighbours have in common at least.

    Raises:
        UsageError: if a value is out of range.
    """

    side: int
    overlap: float = DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        if self.side < SMALLEST_TILE:
            raise UsageError(f"`tile` must be at least {SMALLEST_TILE} pixels, not {self.side}.")
        if not 0 <= self.overlap <= LARGEST_OVERLAP:
            raise UsageError(
                f"`overlap` must be from 0 to {LARGEST_OVERLAP:g}, not {self.overlap:g}."
            )

    def boxes(self, area: Box) -> list[Box]:
        """The tiles of an area, row by row.

        They are evenly spaced, from edge to edge. An area that is narrower than a tile has tiles
        of its width; one that fits into a tile is one tile.
        """
        return [
            Box(x, y, min(x + self.side, area.x1), min(y + self.side, area.y1))
            for y in self._starts(area.y0, area.y1)
            for x in self._starts(area.x0, area.x1)
        ]

    def _starts(self, start: int, end: int) -> list[int]:
        spare = end - start - self.side
        if spare <= 0:
            return [start]
        steps = math.ceil(round(spare / (self.side * (1 - self.overlap)), 9))
        return [start + round(step * spare / steps) for step in range(steps + 1)]


def side_for(smallest: float, patches: int) -> int:
    """The side in pixels of tiles in which the smallest defect covers two patches.

    Args:
        smallest: side of the defect in pixels of the image.
        patches: number of patches along the network input of a tile.

    Raises:
        UsageError: if the tile would be too small.
    """
    side = math.floor(smallest * patches / _PATCHES_OF_A_DEFECT)
    if side < SMALLEST_TILE:
        raise UsageError(
            f"A defect of {smallest:g} pixels takes tiles of {side} pixels, which show too little; "
            f"`smallest` must be at least {SMALLEST_TILE * _PATCHES_OF_A_DEFECT / patches:.2g} "
            "pixels."
        )
    return side
