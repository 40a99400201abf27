"""Many images of one product, to choose how references are compared.

`moeclip datasets synthesize` draws a new layout and new colours for each image of a category. Here
the product is drawn once; its images differ in position, light, noise and, for a texture, in the
part of it that they show.

Free textures are in a package of Debian (licences in its `copyright` file):

    apt-get download ufoai-textures && dpkg -x ufoai-textures_*.deb debian
    unzip -d debian/ufoai debian/usr/share/games/ufoai/base/0textures.pk3
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mini_scores import Pixels
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli.datasets.synthetic import COMMON_KINDS, plant_defect
from moeclip_cli.datasets.synthetic.lighting import gradient
from moeclip_cli.datasets.synthetic.panels import panel
from moeclip_cli.datasets.synthetic.parts import part
from moeclip_cli.datasets.synthetic.textures import texture

SIDE = 320
SEED = 20_261_129
Float = NDArray[np.float32]
View = Callable[[np.random.Generator], tuple[Float, NDArray[np.bool_]]]
"""A new image of the product (S, S, 3) in [0, 1], and where the product is in it."""

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
    good = [_exposed(view(rng)[0], rng) for _ in range(references + tested)]
    defective = [_planted(view, rng) for _ in range(tested)]
    return Images(name, good[:references], good[references:], defective)


def _mixed(views: list[tuple[str, View]]) -> list[tuple[str, View]]:
    """The same in an order in which the first few are of every kind."""
    step = 7  # has no divisor in common with 12 or 20
    return [views[number * step % len(views)] for number in range(len(views))]


def _views(textures: Path | None) -> Iterator[tuple[str, View]]:
    for number, (shape, table, turning) in enumerate(PARTS):
        yield f"{shape} on {table}{', any way' * turning}", _part(number, shape, table, turning)
    for number, layout in enumerate(PANELS):
        yield f"{layout}", _panel(number, layout)
    for number, pattern in enumerate(PATTERNS):
        drawn = texture(np.random.default_rng([SEED, 3, number]), 2 * SIDE, pattern)
        yield f"generated {pattern}", _window(drawn)
    for path in FREE_TEXTURES if textures is not None else ():
        with Image.open(textures / path) as image:
            pixels = np.asarray(image.convert("RGB"), np.float32) / 255
        yield f"texture {Path(path).stem}", _window(pixels)


def _part(number: int, shape: str, table: str, turning: bool, alone: bool = False) -> View:
    """A part on a table, of which each image shows another place; or several if not `alone`."""
    drawings = np.random.default_rng([SEED, 1, number])
    scene = part(drawings, SIDE, shape)
    while alone and not _is_alone(scene.foreground):
        scene = part(drawings, SIDE, shape)
    surface = texture(np.random.default_rng([SEED, 4, number]), 2 * SIDE, table)

    def view(rng: np.random.Generator) -> tuple[Float, NDArray[np.bool_]]:
        move = _movement(rng, 180 if turning else 4)
        pixels = _moved(scene.pixels, move)
        cover = _moved(scene.foreground.astype(np.float32), move, cv2.BORDER_CONSTANT)
        soft = cv2.GaussianBlur(cover, (0, 0), 0.8)[..., None]
        behind, _ = _window(surface)(rng)
        return behind + soft * (pixels - behind), cover > 0.5

    return view


def _is_alone(product: NDArray[np.bool_]) -> bool:
    """True for one part that does not reach the border when it is moved."""
    inner = product[SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8]
    return (
        cv2.connectedComponents(product.astype(np.uint8))[0] == 2 and inner.sum() == product.sum()
    )


def _panel(number: int, layout: str) -> View:
    scene = panel(np.random.default_rng([SEED, 2, number]), SIDE, layout)

    def view(rng: np.random.Generator) -> tuple[Float, NDArray[np.bool_]]:
        return _moved(scene.pixels, _movement(rng, 2)), scene.foreground

    return view


def _window(pixels: Float) -> View:
    """Square parts of a texture, at a scale that varies by a few percent."""

    def view(rng: np.random.Generator) -> tuple[Float, NDArray[np.bool_]]:
        side = int(min(*pixels.shape[:2], 1.2 * SIDE) * rng.uniform(0.75, 0.8))
        top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape[:2])
        crop = pixels[top : top + side, left : left + side]
        return cv2.resize(crop, (SIDE, SIDE)), np.ones((SIDE, SIDE), bool)

    return view


def _movement(rng: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    """A rotation of at most `degrees`, a shift of a few percent and a slight change of scale."""
    centre = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    move = cv2.getRotationMatrix2D(centre, rng.uniform(-degrees, degrees), rng.uniform(0.97, 1.03))
    move[:, 2] += rng.uniform(-0.03, 0.03, 2) * SIDE
    return move


def _moved(pixels: Float, move: NDArray[np.float64], border: int = cv2.BORDER_REFLECT_101) -> Float:
    return cv2.warpAffine(pixels, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)


def _exposed(pixels: Float, rng: np.random.Generator) -> Pixels:
    """The image under slightly different light, with the noise of a camera."""
    lit = np.ascontiguousarray(pixels, np.float32) * np.float32(rng.uniform(0.93, 1.07))
    shaded = lit.copy()
    gradient(rng, shaded)
    lit += np.float32(0.1) * (shaded - lit)
    noise = rng.standard_normal(lit.shape, dtype=np.float32) * np.float32(rng.uniform(0.003, 0.012))
    return np.round(255 * np.clip(lit + noise, 0, 1)).astype(np.uint8)


def _planted(view: View, rng: np.random.Generator) -> Pixels:
    pixels, product = view(rng)
    clean = _exposed(pixels, rng)
    return plant_defect(clean, rng, str(rng.choice(COMMON_KINDS)), product)[0]
