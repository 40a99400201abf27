"""Training pairs of a clean and a defective picture, generated or planted into photographs.

Pair number n of a seed is the same on every machine and in every process.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from mini.batches import random_window
from mini.camera import photograph
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import (
    CELLS,
    COMMON_KINDS,
    TRAINING_DEFECTS,
    TRAINING_FAMILIES,
    generate,
    plant_defect,
)
from small.photographs import Photographs

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_KINDS = [kind for kind in TRAINING_DEFECTS if kind in COMMON_KINDS]
_CELL_SHARE = 0.12
_OBJECT_SHARE = 0.3
# Pictures are drawn at this fraction of the network input or more; few photographs are as sharp as
# a drawing.
_MIN_SHARPNESS, _MIN_SIDE = 0.6, 160
# Least fraction of a defect that a crop of a defective picture shows.
_MIN_SHOWN = 0.4


@dataclass(frozen=True)
class Pair:
    """Two pictures (S, S, 3) RGB uint8, and the mask (S, S) of the defect in the second one."""

    clean: Pixels
    defective: Pixels
    mask: NDArray[np.float32]


def make_pair(seed: int, number: int, size: int, sources: Photographs, share: float) -> Pair:
    """Make a pair.

    Args:
        seed: of the sequence of pairs.
        number: position in it.
        size: side S of the pictures.
        sources: photographs to plant defects into.
        share: of the pairs that are photographs; the others are generated.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 5)))
    side = max(int(size * rng.uniform(_MIN_SHARPNESS, 1)), _MIN_SIDE)
    if rng.random() < share:
        clean, defective, mask = _planted(sources, side, rng)
    else:
        families = CELLS if rng.random() < _CELL_SHARE else TRAINING_FAMILIES
        pair = generate(seed, number, side, families, TRAINING_DEFECTS)
        clean, defective, mask = pair.clean, pair.defective, pair.mask
    return _cropped(clean, defective, mask, size, rng)


def _planted(
    sources: Photographs, side: int, rng: np.random.Generator
) -> tuple[Pixels, Pixels, Mask]:
    """A defect in a part of a surface, or in an object that lies on one."""
    foreground = None
    surface = sources.surfaces[rng.integers(len(sources.surfaces))]
    clean = _part_of(surface, side, rng)
    if rng.random() < _OBJECT_SHARE:
        object_ = sources.objects[rng.integers(len(sources.objects))]
        clean, foreground = _laid(object_, clean, rng)
    clean = _varied(clean, rng)
    defective, mask = plant_defect(clean, rng, str(rng.choice(_KINDS)), foreground)
    return clean, defective, mask


def _part_of(surface: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    height, width = surface.shape[:2]
    shortest = min(height, width)
    length = int(min(shortest, max(96, shortest * np.exp(rng.uniform(np.log(0.25), 0)))))
    top, left = rng.integers(height - length + 1), rng.integers(width - length + 1)
    return _resized(surface[top : top + length, left : left + length], side)


def _laid(object_: Pixels, ground: Pixels, rng: np.random.Generator) -> tuple[Pixels, Mask]:
    """An object on a surface, which is often a plain one, and where it is."""
    side = len(ground)
    if rng.random() < 0.6:
        ground = np.empty_like(ground)
        ground[:] = rng.integers(0, 256, 3) if rng.random() < 0.5 else rng.integers(0, 256)
    factor = side * rng.uniform(0.6, 0.95) / max(object_.shape[:2])
    size = [max(8, round(length * factor)) for length in object_.shape[1::-1]]
    small = cv2.resize(object_, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    canvas = np.zeros((side, side, 4), np.float32)
    top, left = (int(rng.integers(side - length + 1)) for length in size[::-1])
    canvas[top : top + size[1], left : left + size[0]] = small
    alpha = canvas[..., 3:] / 255
    pixels = (canvas[..., :3] * alpha + ground * (1 - alpha)).astype(np.uint8)
    return pixels, alpha[..., 0] > 0.9


def _varied(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Mirrored, turned by right angles, under other light, and sometimes grey."""
    pixels = np.rot90(pixels, rng.integers(4)) if rng.random() < 0.5 else pixels
    pixels = pixels[:, ::-1] if rng.random() < 0.5 else pixels
    values = np.ascontiguousarray(pixels).astype(np.float32) / 255
    if rng.random() < 0.25:
        values = np.repeat(values.mean(2, keepdims=True), 3, 2)
    if rng.random() < 0.1:
        values = 1 - values
    values = values ** np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.15))
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _cropped(
    clean: Pixels, defective: Pixels, mask: Mask, size: int, rng: np.random.Generator
) -> Pair:
    """The same window of both, or another one of the clean picture, taken by one camera."""
    side = len(mask)
    window = random_window(rng, side)
    while mask[window].sum() < _MIN_SHOWN * mask.sum():
        window = random_window(rng, side)
    other = random_window(rng, side) if rng.random() < 0.4 else window
    pictures = photograph([_resized(clean[other], size), _resized(defective[window], size)], rng)
    return Pair(*pictures, _resized(mask[window].astype(np.float32), size, cv2.INTER_LINEAR))


def _resized(pixels: NDArray, size: int, smooth: int | None = None) -> NDArray:
    part = np.ascontiguousarray(pixels)
    if smooth is None:
        smooth = cv2.INTER_AREA if min(part.shape[:2]) > size else cv2.INTER_CUBIC
    return cv2.resize(part, (size, size), interpolation=smooth)
