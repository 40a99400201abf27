"""Many images of one product, to choose how references are compared.

The products are like those of `moeclip datasets synthesize --same-product`, with chosen designs and
tables, and with textures from files.

Free textures are in a package of Debian (licences in its `copyright` file):

    apt-get download ufoai-textures && dpkg -x ufoai-textures_*.deb debian
    unzip -d debian/ufoai debian/usr/share/games/ufoai/base/0textures.pk3
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mini_scores import Pixels
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.datasets.synthetic.panels import panel
from moeclip_cli.datasets.synthetic.parts import part
from moeclip_cli.datasets.synthetic.product import (
    View,
    defective,
    panel_views,
    part_views,
    photograph,
    texture_views,
)
from moeclip_cli.datasets.synthetic.textures import texture

SIDE = 320
SEED = 20_261_129

# Part, background, and whether parts lie in any direction.
PARTS = (
    ("gear", "wood", False),
    ("bracket", "brushed", False),
    ("capsule", "carpet", False),
    ("washer", "leather", True),
    ("nut", "plaster", True),
    ("bracket", "wood", True),
)
# For the background: one part each, in the middle of a table.
CENTRED = (
    ("nut", "wood"),
    ("cross", "gravel"),
    ("bracket", "marble"),
    ("gear", "leather"),
    ("plate", "carpet"),
    ("flange", "spangle"),
    ("screw", "plaster"),
    ("cap", "terrazzo"),
)
PANELS = ("board", "keypad", "gauge")
PATTERNS = ("knit", "terrazzo", "wood")
# Below the folder of unpacked packages.
FREE_TEXTURES = (
    "ufoai/textures/tex_buildings/concrete007.png",
    "ufoai/textures/tex_buildings/floor_se02.png",
    "ufoai/textures/tex_buildings/wall_brick01.png",
    "ufoai/textures/tex_buildings/window012.png",
    "ufoai/textures/tex_buildings/roof006.png",
    "ufoai/textures/tex_material/metall007.png",
    "ufoai/textures/tex_nature/desert009.png",
    "ufoai/textures/tex_nature/ice003.png",
)


@dataclass(frozen=True)
class Images:
    """Images of one product."""

    name: str
    references: list[Pixels]
    good: list[Pixels]
    defective: list[Pixels]


def products(references: int, tested: int, textures: Path | None) -> Iterator[Images]:
    """Yield the images of each product.

    Args:
        references: number of good images to compare with.
        tested: number of good and of defective test images.
        textures: folder of free textures; without it, only generated products.
    """
    for number, (name, view) in enumerate(_mixed(list(_views(textures)))):
        yield _images(name, view, references, tested, number)


def centred_parts(references: int, tested: int) -> Iterator[Images]:
    """Yield the images of products that are one part in the middle of a table."""
    for number, (shape, table) in enumerate(CENTRED):
        view = _part(100 + number, shape, table, turning=False, alone=True)
        yield _images(f"{shape} in the middle", view, references, tested, 100 + number)


def _images(name: str, view: View, references: int, tested: int, number: int) -> Images:
    rng = np.random.default_rng([SEED, number])
    good = [photograph(view(rng), rng) for _ in range(references + tested)]
    flawed = [defective(view, rng)[0] for _ in range(tested)]
    return Images(name, good[:references], good[references:], flawed)


def _mixed(views: list[tuple[str, View]]) -> list[tuple[str, View]]:
    """The same in an order in which the first few are of every kind."""
    step = 7  # has no divisor in common with 12 or 20
    return [views[number * step % len(views)] for number in range(len(views))]


def _views(textures: Path | None) -> Iterator[tuple[str, View]]:
    for number, (shape, table, turning) in enumerate(PARTS):
        yield f"{shape} on {table}{', any way' * turning}", _part(number, shape, table, turning)
    for number, layout in enumerate(PANELS):
        yield (
            f"{layout}",
            panel_views(panel(np.random.default_rng([SEED, 2, number]), SIDE, layout)),
        )
    for number, pattern in enumerate(PATTERNS):
        surface = texture(np.random.default_rng([SEED, 3, number]), 2 * SIDE, pattern)
        yield f"generated {pattern}", texture_views(surface, SIDE)
    for path in FREE_TEXTURES if textures is not None else ():
        with Image.open(textures / path) as image:
            pixels = np.asarray(image.convert("RGB"), np.float32) / 255
        yield f"texture {Path(path).stem}", texture_views(pixels, SIDE)


def _part(number: int, shape: str, table: str, turning: bool, alone: bool = False) -> View:
    """A part on a table, of which each image shows another place; or several if not `alone`."""
    drawings = np.random.default_rng([SEED, 1, number])
    scene = part(drawings, SIDE, shape)
    while alone and not _is_alone(scene.foreground):
        scene = part(drawings, SIDE, shape)
    surface = texture(np.random.default_rng([SEED, 4, number]), 2 * SIDE, table)
    return part_views(scene, surface, 180 if turning else 4)


def _is_alone(product: NDArray[np.bool_]) -> bool:
    """True for one part that does not reach the border when it is moved."""
    inner = product[SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8]
    return (
        cv2.connectedComponents(product.astype(np.uint8))[0] == 2 and inner.sum() == product.sum()
    )
