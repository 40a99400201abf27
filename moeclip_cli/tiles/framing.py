"""What a user says about the parts of the images to look at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from moeclip_cli.tiles.grid import DEFAULT_OVERLAP

Tile: TypeAlias = "int | Literal['auto'] | None"
"""Side of the tiles in pixels; "auto" for what the smallest defect takes; None for no tiles."""

Where: TypeAlias = "str | os.PathLike[str]"
"""A box such as "10%,10%,90%,90%", or a file: a mask, JSON of LabelMe or COCO, or rules in TOML."""


@dataclass(frozen=True)
class Framing:
    """Tiles and region of a run, as `Inspector.load` takes them.

    Attributes:
        tile: see `Inspector.load`.
        smallest: see `Inspector.load`.
        overlap: see `Inspector.load`.
        region: see `Inspector.load`.
        ignore: see `Inspector.load`.
        align: see `Inspector.load`.
    """

    tile: Tile = None
    smallest: float | None = None
    overlap: float = DEFAULT_OVERLAP
    region: Where | Iterable[Where] = ()
    ignore: Where | Iterable[Where] = ()
    align: Where | None = None
