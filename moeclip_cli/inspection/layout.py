"""Which parts of an image the network sees, each as an image of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.network_input import LeveledNetwork
from moeclip_cli.tiles.framing import Framing
from moeclip_cli.tiles.grid import Box, Tiling, side_for


@dataclass(frozen=True)
class Layout:
    """The windows of each image: tiles, or one window.

    Attributes:
        tiling: size and overlap of the tiles.
    """

    tiling: Tiling

    @classmethod
    def of(cls, framing: Framing, network: LeveledNetwork) -> Layout | None:
        """The layout that a user asked for; None for whole images.

        Args:
            framing: what the user said.
            network: its patches decide the tile "auto".

        Raises:
            UsageError: if a value is out of range, or values contradict each other.
        """
        tiling = _tiling(framing, network)
        return None if tiling is None else cls(tiling)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Layout | None:
        """The layout that `settings` of an inspector or a profile describe.

        Raises:
            UsageError: if they are damaged.
        """
        if "tile" not in settings:
            return None
        side, overlap = settings["tile"], settings.get("overlap")
        if type(side) is not int or type(overlap) is not float:
            raise UsageError("The profile is damaged: its tiles have no size; calibrate again.")
        return cls(Tiling(side, overlap))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that decide scores, in JSON types."""
        return {"tile": self.tiling.side, "overlap": self.tiling.overlap}

    def boxes(self, width: int, height: int) -> list[Box]:
        """The windows of an image of this size in pixels."""
        return self.tiling.boxes(self.area(width, height))

    def area(self, width: int, height: int) -> Box:
        """What the windows cover together."""
        return Box(0, 0, width, height)

    @property
    def overlap(self) -> float:
        """Share of a window that its neighbour covers, too."""
        return self.tiling.overlap


def _tiling(framing: Framing, network: LeveledNetwork) -> Tiling | None:
    if framing.tile != "auto" and framing.smallest is not None:
        raise UsageError('`smallest` chooses the tiles; set `tile` to "auto", or omit it.')
    if framing.tile is None:
        return None
    if framing.tile == "auto":
        if framing.smallest is None:
            raise UsageError(
                "`tile` auto needs the size of the smallest defect as `smallest`, such as 12 "
                "pixels; or give the side of a tile in pixels as `tile`."
            )
        patches = network.config.image_size // network.backbone.architecture.patch_size
        return Tiling(side_for(framing.smallest, patches), float(framing.overlap))
    return Tiling(framing.tile, float(framing.overlap))
