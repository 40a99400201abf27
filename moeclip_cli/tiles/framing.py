"""What a user says about the parts of the images to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from moeclip_cli.tiles.grid import DEFAULT_OVERLAP

Tile: TypeAlias = "int | Literal['auto'] | None"
"""Side of the tiles in pixels; "auto" for what the smallest defect takes; None for no tiles."""


@dataclass(frozen=True)
class Framing:
    """Tiles of a run, as `Inspector.load` takes them.

    Attributes:
        tile: see `Inspector.load`.
        smallest: see `Inspector.load`.
        overlap: see `Inspector.load`.
    """

    tile: Tile = None
    smallest: float | None = None
    overlap: float = DEFAULT_OVERLAP
