"""Generator of pairs of a clean and a defective image, with the exact mask of the defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.defect_drawing import Site
from moeclip_cli.datasets.synthetic.defects import DEFECTS
from moeclip_cli.datasets.synthetic.fields import BoolArray, FloatArray
from moeclip_cli.datasets.synthetic.nuisances import disturb
from moeclip_cli.datasets.synthetic.panels import LAYOUTS, panel
from moeclip_cli.datasets.synthetic.parts import part
from moeclip_cli.datasets.synthetic.scene import Scene
from moeclip_cli.datasets.synthetic.shapes import SHAPES
from moeclip_cli.datasets.synthetic.textures import PATTERNS, texture
from moeclip_cli.datasets.synthetic.wafers import CELL_DEFECTS
from moeclip_cli.errors import DatasetError

FAMILIES: tuple[str, ...] = (*PATTERNS, *SHAPES, *LAYOUTS)
"""All families of textures, parts and panels."""

CELLS: tuple[str, ...] = ("wafer", "multicrystal")
"""Families that show solar cells."""

COMMON_KINDS: tuple[str, ...] = tuple(DEFECTS)
"""Types of defect that any product can have."""

KINDS: tuple[str, ...] = (*COMMON_KINDS, *CELL_DEFECTS)
"""All types of defect, including those that only solar cells have."""

HELD_OUT_FAMILIES: tuple[str, ...] = (
    "knit",
    "terrazzo",
    "chequer_plate",
    "wood",
    "gear",
    "capsule",
    "bracket",
    "vents",
    "gauge",
)
"""Families reserved for evaluation; the built-in model is not trained on them."""

HELD_OUT_DEFECTS: tuple[str, ...] = ("pull", "dent", "corrosion", "hair")
"""Types of defect reserved for evaluation."""

TRAINING_FAMILIES = tuple(name for name in FAMILIES if name not in HELD_OUT_FAMILIES)
TRAINING_DEFECTS = tuple(name for name in KINDS if name not in HELD_OUT_DEFECTS)

MIN_SIDE = 32
"""Minimum side in pixels of an image that a defect is planted into."""

_VISIBLE_CHANGE = 5
"""Minimum change of a channel, in grey levels of 255, that counts as visible."""

_MIN_VISIBLE_PIXELS = 10
"""Minimum number of visible pixels of a defect at a side of 224 pixels."""

_MAX_ATTEMPTS = 8
"""Number of attempts to draw a visible defect."""

_DRAW = DEFECTS | CELL_DEFECTS

_GROUP_WEIGHTS = (0.5, 0.3, 0.2)
"""Probabilities of textures, parts and panels, as far as they are requested."""

_GREY_SHARE = 0.25
"""Share of images from a grey camera."""

_TYPICAL_DEFECTS = dict.fromkeys(CELLS, ("crack", "dead", "breaks", *CELL_DEFECTS))
"""Types of defect that some families have more often than others, or exclusively."""

_TYPICAL_SHARE = 0.7
"""Share of defects of a typical type, in families that have typical ones."""


@dataclass(frozen=True)
class SyntheticPair:
    """An image without and with one defect; both are equal outside the mask.

    Attributes:
        clean: (H, W, 3) RGB uint8.
        defective: (H, W, 3) RGB uint8.
        mask: (H, W) bool, True on the defect.
        family: family of the image.
        defect: type of the defect.
    """

    clean: NDArray[np.uint8]
    defective: NDArray[np.uint8]
    mask: BoolArray
    family: str
    defect: str


def generate(
    seed: int,
    index: int,
    size: int = 224,
    families: Sequence[str] | None = None,
    defects: Sequence[str] | None = None,
) -> SyntheticPair:
    """Generate pair number `index` of the infinite sequence of a seed.

    The pair depends on the arguments alone, so that any worker can generate any pair in any order.

    Args:
        seed: random seed of the sequence.
        index: position in the sequence.
        size: side of the images in pixels, at least `MIN_SIDE`.
        families: families to choose from; all by default. Textures, parts and panels have the
            weights 50, 30 and 20, as far as they are included.
        defects: types of defect to choose from; all by default. Those of solar cells are used on
            other families only if no common type is included.

    Raises:
        DatasetError: if a name is unknown, a list is empty, or `size` is too small.
    """
    families = _require_known("image family", families, FAMILIES)
    defects = _require_known("defect type", defects, KINDS)
    if size < MIN_SIDE:
        raise DatasetError(f"`size` must be at least {MIN_SIDE} pixels, not {size}.")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    family = _choose_family(rng, families)
    scene = _draw(rng, size, family)
    grey = rng.random() < _GREY_SHARE
    clean = _expose(disturb(rng, scene.pixels, glowing=family in CELLS), grey)
    typical = tuple(name for name in _TYPICAL_DEFECTS.get(family, ()) if name in defects)
    common = tuple(name for name in defects if name in COMMON_KINDS) or defects
    kinds = typical if typical and rng.random() < _TYPICAL_SHARE else common
    defective, mask, defect = _plant(clean, scene.foreground, rng, kinds, grey)
    return SyntheticPair(clean, defective, mask, family, defect)


def plant_defect(
    pixels: NDArray[np.uint8],
    rng: np.random.Generator,
    defect: str | None = None,
    foreground: BoolArray | None = None,
) -> tuple[NDArray[np.uint8], BoolArray]:
    """Draw one defect into a copy of an image of any size.

    Args:
        pixels: (H, W, 3) RGB uint8, both sides at least `MIN_SIDE` pixels.
        rng: source of randomness.
        defect: type of the defect; a random common type by default.
        foreground: (H, W), True where the product is; everywhere by default.

    Returns:
        The changed image and the mask (H, W) of the defect; nothing changes outside the mask.

    Raises:
        DatasetError: if the type is unknown, or the image has another shape or data type.
    """
    defects = COMMON_KINDS if defect is None else _require_known("defect type", [defect], KINDS)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise DatasetError("A defect requires an RGB image of shape (H, W, 3) and type uint8.")
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise DatasetError(
            f"A defect requires an image of at least {MIN_SIDE} x {MIN_SIDE} pixels."
        )
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    window = (slice(top, top + side), slice(left, left + side))
    square = np.ascontiguousarray(pixels[window])
    whole: BoolArray = np.ones((side, side), bool)
    product = whole if foreground is None else foreground[window]
    changed, flaw, _ = _plant(square, product, rng, defects, grey=_is_grey(square))
    defective, mask = pixels.copy(), np.zeros((height, width), bool)
    defective[window], mask[window] = changed, flaw
    return defective, mask


def _require_known(
    subject: str, names: Sequence[str] | None, allowed: tuple[str, ...]
) -> tuple[str, ...]:
    if names is None:
        return allowed
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        message = f"Unknown {subject} {unknown[0]!r}" if unknown else f"No {subject} is given"
        raise DatasetError(f"{message}; choose from {', '.join(allowed)}.")
    return tuple(names)


def _choose_family(rng: np.random.Generator, families: tuple[str, ...]) -> str:
    groups = [[f for f in families if f in group] for group in (PATTERNS, SHAPES, LAYOUTS)]
    weights = np.array(_GROUP_WEIGHTS) * [bool(group) for group in groups]
    group = groups[int(rng.choice(3, p=weights / weights.sum()))]
    return str(rng.choice(group))


def _draw(rng: np.random.Generator, size: int, family: str) -> Scene:
    if family in SHAPES:
        return part(rng, size, family)
    if family in LAYOUTS:
        return panel(rng, size, family)
    return Scene(texture(rng, size, family), np.ones((size, size), bool))


def _plant(
    clean: NDArray[np.uint8],
    foreground: BoolArray,
    rng: np.random.Generator,
    defects: tuple[str, ...],
    grey: bool,
) -> tuple[NDArray[np.uint8], BoolArray, str]:
    """Draw defects until one is visible; return the image, the mask and the type of the defect.

    If none is visible after several attempts, draw an opaque patch of the opposite tone.
    """
    image = (clean / 255).astype(np.float32)
    needed = _MIN_VISIBLE_PIXELS * (clean.shape[0] / 224) ** 2
    for _ in range(_MAX_ATTEMPTS):
        name = str(rng.choice(defects))
        site = Site(_place(rng, foreground), foreground)
        changed, area = _DRAW[name](image, site, rng)
        defective = _expose(changed, grey)
        difference = np.abs(defective.astype(np.int16) - clean).max(2)
        mask = area & (difference >= _VISIBLE_CHANGE)
        if mask.sum() >= needed and difference[mask].mean() >= 2 * _VISIBLE_CHANGE:
            return np.where(mask[..., None], defective, clean), mask, name
    return _opaque_patch(clean, site, name)


def _expose(pixels: FloatArray, grey: bool) -> NDArray[np.uint8]:
    """Convert an image in [0, 1] to uint8, with three equal channels for a grey camera."""
    if grey:
        pixels = np.repeat(pixels.mean(2, keepdims=True), 3, 2)
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[..., :1] == pixels[..., 1:]).all())


def _opaque_patch(
    clean: NDArray[np.uint8], site: Site, name: str
) -> tuple[NDArray[np.uint8], BoolArray, str]:
    n = clean.shape[0]
    x, y = (int(c) for c in site.centre)
    half = max(2, n // 40)
    mask = np.zeros((n, n), bool)
    mask[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = True
    defective = clean.copy()
    defective[mask] = np.where(clean[mask] < 128, 255, 0)
    return defective, mask, name


def _place(rng: np.random.Generator, foreground: BoolArray) -> tuple[float, float]:
    """Return a random pixel (x, y) of the object that is not at the border of the image."""
    n = foreground.shape[0]
    margin = max(1, n // 20)
    for _ in range(50):
        x, y = rng.integers(margin, n - margin, 2)
        if foreground[y, x]:
            return float(x), float(y)
    return n / 2, n / 2
