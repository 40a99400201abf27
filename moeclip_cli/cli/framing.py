"""Options for parts of images: tiles, regions and the view that images are aligned with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from moeclip_cli.cli import console
from moeclip_cli.cli.fractions import fraction
from moeclip_cli.cli.lengths import Measure, length
from moeclip_cli.cli.options import IMAGES
from moeclip_cli.errors import UsageError
from moeclip_cli.tiles.framing import Framing
from moeclip_cli.tiles.grid import DEFAULT_OVERLAP, Tiling

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.tiles.framing import Tile


def tile_side(value: Any) -> Tile:
    """The side of the tiles that a text or a value of a settings file stands for.

    Raises:
        ValueError: if it is neither a number of pixels nor "auto".
    """
    text = str(value).strip().lower().removesuffix("px")
    if text == "auto":
        return "auto"
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{value!r} is not a number of pixels, such as 448, or 'auto'.")
    return int(text)


@dataclass(frozen=True)
class FramingOptions:
    """Parts of the images to look at.

    Attributes:
        tile: score each image in square tiles of this side in pixels, at full resolution, or in
            those that --smallest takes (auto). The highest score of a tile is that of the image.
        smallest: size of the smallest defect, for --tile auto, such as 12px; or 0.6mm with --scale.
        overlap: share of a tile that the next one covers, too.
        region: what to inspect: a box in pixels or percent (x0,y0,x1,y1), a mask (white counts),
            polygons of LabelMe or COCO, or a TOML file with these by folder and name. Can be
            repeated. Default: all, or what the profile says.
        ignore: what to leave out, in the same forms. Can be repeated.
        align: picture of the reference view. Each image is shifted, turned and scaled to it before
            it is scored, and --region and --ignore are in its frame.
        scale: size of a pixel, such as 0.05mm.
    """

    PANEL: ClassVar[str] = IMAGES

    tile: Annotated[
        str | None, typer.Option(parser=tile_side, metavar="[N|auto]", show_default=False)
    ] = None
    smallest: Annotated[
        Measure | None, typer.Option(parser=length, metavar="LENGTH", show_default=False)
    ] = None
    overlap: Annotated[float, typer.Option(parser=fraction, metavar="FLOAT")] = DEFAULT_OVERLAP
    region: Annotated[list[str] | None, typer.Option(metavar="BOX|FILE", show_default=False)] = None
    ignore: Annotated[list[str] | None, typer.Option(metavar="BOX|FILE", show_default=False)] = None
    align: Annotated[Path | None, typer.Option(metavar="IMAGE", show_default=False)] = None
    scale: Annotated[
        Measure | None, typer.Option(parser=length, metavar="LENGTH", show_default=False)
    ] = None

    def read(self, *, mutual: bool = False) -> Framing:
        """What the options ask for.

        Args:
            mutual: whether images are compared with each other, which takes whole images.

        Raises:
            UsageError: if options contradict each other.
        """
        tile: Any = self.tile
        parts = {
            "tile": tile,
            "region": self.region,
            "ignore": self.ignore,
            "align": self.align,
        }
        for name, value in parts.items():
            if mutual and value is not None:
                raise UsageError(f"`mutual` compares whole images; omit `{name}`.")
        if tile is None and self.overlap != DEFAULT_OVERLAP:
            raise UsageError("`overlap` is that of tiles; give their side as `tile`.")
        if isinstance(tile, int):
            Tiling(tile, self.overlap)  # refuses what is out of range before the model is loaded
        region, ignore = self.region or (), self.ignore or ()
        if region or ignore:
            from moeclip_cli.inspection.roi_files import read_roi

            read_roi(region, ignore)  # likewise
        smallest = None if self.smallest is None else self.smallest.pixels(self.millimetres)
        if self.align is not None:
            from moeclip_cli.inspection.reference_view import ReferenceView

            ReferenceView.read(self.align)  # likewise
        return Framing(tile, smallest, self.overlap, region, ignore, self.align)

    @property
    def millimetres(self) -> float | None:
        """Size of a pixel in millimetres, if it is known.

        Raises:
            UsageError: if it is not a length in millimetres above 0.
        """
        if self.scale is None:
            return None
        if self.scale.unit != "mm" or not self.scale.value > 0:
            raise UsageError("`scale` is the size of a pixel in millimetres, such as 0.05mm.")
        return self.scale.value


def warn_about_threshold(inspector: Inspector | OnnxInspector, *, quiet: bool) -> None:
    """Say that a threshold was not made for tiles, if it was not."""
    if inspector.threshold.of_whole_images and not quiet:
        console.warn(
            "The threshold was found on whole images. With tiles, more good images reach it: the "
            "score is the highest of many. Calibrate with the same --tile on images of good parts."
        )
