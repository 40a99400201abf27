"""Endless pairs of a clean and a defective picture with the exact mask of the defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.defects import DEFECTS, Site
from moeclip_cli.datasets.synthetic.fields import BoolArray, FloatArray
from moeclip_cli.datasets.synthetic.lighting import disturb
from moeclip_cli.datasets.synthetic.panels import LAYOUTS, panel
from moeclip_cli.datasets.synthetic.parts import SHAPES, part
from moeclip_cli.datasets.synthetic.scene import Scene
from moeclip_cli.datasets.synthetic.textures import PATTERNS, texture
from moeclip_cli.datasets.synthetic.wafers import CELL_DEFECTS
from moeclip_cli.errors import DatasetError

FAMILIES: tuple[str, ...] = (*PATTERNS, *SHAPES, *LAYOUTS)
"""Every family of textures, parts and panels."""

CELLS: tuple[str, ...] = ("wafer", "multicrystal")
"""The families that show solar cells."""

COMMON_KINDS: tuple[str, ...] = tuple(DEFECTS)
"""Kinds of defect that any product can have."""

KINDS: tuple[str, ...] = (*COMMON_KINDS, *CELL_DEFECTS)
"""Every kind of defect, those of solar cells alone among them."""

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
"""Families kept for evaluation; the built-in model never sees them in training."""

HELD_OUT_DEFECTS: tuple[str, ...] = ("pull", "dent", "corrosion", "hair")
"""Kinds of defect kept for evaluation."""

TRAINING_FAMILIES = tuple(name for name in FAMILIES if name not in HELD_OUT_FAMILIES)
TRAINING_DEFECTS = tuple(name for name in KINDS if name not in HELD_OUT_DEFECTS)

_VISIBLE = 5
"""Change in grey levels (of 255) of any channel that counts as visible."""

_SMALLEST = 10
"""Fewest visible pixels of a defect at a side of 224."""

_TRIES = 8

_DRAW = DEFECTS | CELL_DEFECTS

# Shares of textures, parts and panels, as far as any are asked for.
_GROUPS = (0.5, 0.3, 0.2)

_GREY_CAMERAS = 0.25

_TYPICAL = dict.fromkeys(CELLS, ("crack", "dead", "breaks", *CELL_DEFECTS))
"""Kinds of defect that some families have more often than others, or alone."""

_TYPICALLY = 0.7


@dataclass(frozen=True)
class SyntheticPair:
    """A picture without and with one defect; both are equal outside the mask.

    Attributes:
        clean: (H, W, 3) RGB uint8.
        defective: (H, W, 3) RGB uint8.
        mask: (H, W) bool, where the defect is.
        family: what is shown.
        defect: kind of the defect.
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
    """Pair number `index` of the endless sequence that belongs to `seed`.

    The pair depends on its arguments alone, so that any worker can make any pair in any order.

    Args:
        seed: which sequence.
        index: position in the sequence.
        size: side of the pictures in pixels, at least 32.
        families: what may be shown; every family if None. Textures, parts and panels are drawn
            with weights 50, 30 and 20 as far as they are present.
        defects: which kinds may occur; every kind if None. Those of solar cells occur on others
            only where no common kind is named.

    Raises:
        DatasetError: if a name is unknown, a list is empty, or the size is too small.
    """
    families = _known("family of images", families, FAMILIES)
    defects = _known("kind of defect", defects, KINDS)
    if size < 32:
        raise DatasetError(f"Synthetic images have a side of at least 32 pixels, not {size}.")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    family = _choose_family(rng, families)
    scene = _draw(rng, size, family)
    grey = rng.random() < _GREY_CAMERAS
    clean = _expose(disturb(rng, scene.pixels, glowing=family in CELLS), grey)
    typical = tuple(name for name in _TYPICAL.get(family, ()) if name in defects)
    common = tuple(name for name in defects if name in COMMON_KINDS) or defects
    kinds = typical if typical and rng.random() < _TYPICALLY else common
    defective, mask, defect = _plant(clean, scene.foreground, rng, kinds, grey)
    return SyntheticPair(clean, defective, mask, family, defect)


def plant_defect(
    pixels: NDArray[np.uint8], rng: np.random.Generator, defect: str | None = None
) -> tuple[NDArray[np.uint8], BoolArray]:
    """One defect drawn into a copy of a picture of any size.

    Args:
        pixels: (H, W, 3) RGB uint8, both sides at least 32 pixels.
        rng: source of randomness.
        defect: kind of the defect; any of the common ones if None.

    Returns:
        The changed picture and the mask (H, W) of the defect; outside it nothing changed.

    Raises:
        DatasetError: if the kind is unknown or the picture is not of this form.
    """
    defects = COMMON_KINDS if defect is None else _known("kind of defect", [defect], KINDS)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise DatasetError("Defects are planted into RGB images of shape (H, W, 3) and type uint8.")
    if min(pixels.shape[:2]) < 32:
        raise DatasetError("Defects are planted into images of at least 32 x 32 pixels.")
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    window = (slice(top, top + side), slice(left, left + side))
    square = np.ascontiguousarray(pixels[window])
    whole: BoolArray = np.ones((side, side), bool)
    changed, flaw, _ = _plant(square, whole, rng, defects, grey=_is_grey(square))
    defective, mask = pixels.copy(), np.zeros((height, width), bool)
    defective[window], mask[window] = changed, flaw
    return defective, mask


def _known(what: str, names: Sequence[str] | None, allowed: tuple[str, ...]) -> tuple[str, ...]:
    if names is None:
        return allowed
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        message = f"There is no {what} {unknown[0]!r}" if unknown else f"No {what} was named"
        raise DatasetError(f"{message}; choose from {', '.join(allowed)}.")
    return tuple(names)


def _choose_family(rng: np.random.Generator, families: tuple[str, ...]) -> str:
    groups = [[f for f in families if f in group] for group in (PATTERNS, SHAPES, LAYOUTS)]
    weights = np.array(_GROUPS) * [bool(group) for group in groups]
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
    """The picture with a visible defect, drawn anew until it is visible.

    A picture on which none shows in several tries gets an opaque patch in the opposite tone.
    """
    image = (clean / 255).astype(np.float32)
    needed = _SMALLEST * (clean.shape[0] / 224) ** 2
    for _ in range(_TRIES):
        name = str(rng.choice(defects))
        site = Site(_place(rng, foreground), foreground)
        changed, area = _DRAW[name](image, site, rng)
        defective = _expose(changed, grey)
        difference = np.abs(defective.astype(np.int16) - clean).max(2)
        mask = area & (difference >= _VISIBLE)
        if mask.sum() >= needed and difference[mask].mean() >= 2 * _VISIBLE:
            return np.where(mask[..., None], defective, clean), mask, name
    return _opaque_patch(clean, site, name)


def _expose(pixels: FloatArray, grey: bool) -> NDArray[np.uint8]:
    """What a camera makes of a picture in [0, 1]; a grey camera gives three equal channels."""
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
    """A random pixel of the object, (x, y), not at the very border of the picture."""
    n = foreground.shape[0]
    margin = max(1, n // 20)
    for _ in range(50):
        x, y = rng.integers(margin, n - margin, 2)
        if foreground[y, x]:
            return float(x), float(y)
    return n / 2, n / 2
