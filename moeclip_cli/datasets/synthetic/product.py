"""Many images of one product: drawn once, then seen in other places, other light and with noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.fields import FloatArray
from moeclip_cli.datasets.synthetic.generator import COMMON_KINDS, plant_defect
from moeclip_cli.datasets.synthetic.lighting import gradient
from moeclip_cli.datasets.synthetic.panels import LAYOUTS, panel
from moeclip_cli.datasets.synthetic.parts import part
from moeclip_cli.datasets.synthetic.scene import Scene
from moeclip_cli.datasets.synthetic.shapes import SHAPES
from moeclip_cli.datasets.synthetic.textures import PATTERNS, texture

View: TypeAlias = Callable[[np.random.Generator], Scene]
"""Another view of a product, (S, S), before the camera adds light and noise."""

# Movement between images of a part and of a panel that fills the image, in degrees.
_TILT, _PANEL_TILT = 4.0, 2.0
# Larger than an image, so that there is more to show than one image does.
_TEXTURE_SIDES = 2


def views_of(rng: np.random.Generator, size: int, family: str) -> View:
    """Draw one product of a family.

    Args:
        rng: decides the design.
        size: side of the images in pixels.
        family: one of `FAMILIES`.
    """
    if family in SHAPES:
        table = str(rng.choice(tuple(PATTERNS)))
        return part_views(
            part(rng, size, family), texture(rng, _TEXTURE_SIDES * size, table), _TILT
        )
    if family in LAYOUTS:
        return panel_views(panel(rng, size, family))
    return texture_views(texture(rng, _TEXTURE_SIDES * size, family), size)


def part_views(scene: Scene, surface: FloatArray, degrees: float) -> View:
    """Views of a part on a table, of which each image shows another place.

    Args:
        scene: the part.
        surface: (H, W, 3), the table, larger than an image.
        degrees: the part is turned by at most this angle.
    """
    size = len(scene.pixels)
    behind = texture_views(surface, size)

    def view(rng: np.random.Generator) -> Scene:
        move = _movement(rng, size, degrees)
        pixels = _moved(scene.pixels, move)
        cover = _moved(scene.foreground.astype(np.float32), move, cv2.BORDER_CONSTANT)
        soft = cv2.GaussianBlur(cover, (0, 0), 0.8)[..., None]
        table = behind(rng).pixels
        return Scene(table + soft * (pixels - table), cover > 0.5)

    return view


def panel_views(scene: Scene) -> View:
    """Views of a panel that fills the image."""
    size = len(scene.pixels)

    def view(rng: np.random.Generator) -> Scene:
        return Scene(_moved(scene.pixels, _movement(rng, size, _PANEL_TILT)), scene.foreground)

    return view


def texture_views(pixels: FloatArray, size: int) -> View:
    """Square parts of a texture, at a scale that varies by a few percent.

    Args:
        pixels: (H, W, 3) in [0, 1].
        size: side of the views in pixels.
    """

    def view(rng: np.random.Generator) -> Scene:
        side = int(min(*pixels.shape[:2], 1.2 * size) * rng.uniform(0.75, 0.8))
        top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape[:2])
        crop = pixels[top : top + side, left : left + side]
        return Scene(cv2.resize(crop, (size, size)), np.ones((size, size), bool))

    return view


def photograph(scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image (S, S, 3) of a view, in slightly different light and with the noise of a camera."""
    lit = np.ascontiguousarray(scene.pixels, np.float32) * np.float32(rng.uniform(0.93, 1.07))
    shaded = lit.copy()
    gradient(rng, shaded)
    lit += np.float32(0.1) * (shaded - lit)
    noise = rng.standard_normal(lit.shape, dtype=np.float32) * np.float32(rng.uniform(0.003, 0.012))
    found: NDArray[np.uint8] = np.round(255 * np.clip(lit + noise, 0, 1)).astype(np.uint8)
    return found


def defective(
    view: View, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], str]:
    """An image with a defect on the product, its mask (S, S) and the type of the defect."""
    scene = view(rng)
    clean = photograph(scene, rng)
    kind = str(rng.choice(COMMON_KINDS))
    return *plant_defect(clean, rng, kind, scene.foreground), kind


def _movement(rng: np.random.Generator, size: int, degrees: float) -> NDArray[np.float64]:
    """A rotation of at most `degrees`, a shift of a few percent and a slight change of scale."""
    centre = ((size - 1) / 2, (size - 1) / 2)
    move = cv2.getRotationMatrix2D(centre, rng.uniform(-degrees, degrees), rng.uniform(0.97, 1.03))
    move[:, 2] += rng.uniform(-0.03, 0.03, 2) * size
    return move


def _moved(
    pixels: FloatArray, move: NDArray[np.float64], border: int = cv2.BORDER_REFLECT_101
) -> FloatArray:
    size = (pixels.shape[1], pixels.shape[0])
    return cv2.warpAffine(pixels, move, size, flags=cv2.INTER_LINEAR, borderMode=border)
