"""Families of machined and moulded parts on a background.

A part is a stack of filled outlines, each with a height (0 is a hole). Its height field determines
the colour, the shading of its edges and the foreground.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.colours import (
    paint,
    ramp,
    random_colour,
    related_colour,
    relief,
)
from moeclip_cli.datasets.synthetic.fields import FloatArray, fractal_noise
from moeclip_cli.datasets.synthetic.scene import Scene
from moeclip_cli.datasets.synthetic.shapes import SHAPES, SUNKEN, Outline
from moeclip_cli.datasets.synthetic.textures import PATTERNS

_BACKGROUNDS = ("plain", "plain", "plain", "plaster", "brushed", "carpet", "wood", "leather")
_FINISHES = ("plain", "plain", "brushed", "cast", "plaster", "carpet")


def part(rng: np.random.Generator, size: int, shape: str) -> Scene:
    """Return a scene with one or several identical parts of the named shape."""
    outlines = SHAPES[shape](rng)
    height = np.zeros((size, size), np.uint8)
    for centre, radius, angle in _placements(rng):
        _draw(height, outlines, centre, radius, angle)
    level = (height / 255).astype(np.float32)
    cover: FloatArray = np.minimum(level * (255 / SUNKEN), 1).astype(np.float32)
    body = _surface(rng, level)
    background = _background(rng, size, cover)
    pixels = background + cover[..., None] * (body - background)
    return Scene(np.clip(pixels, 0, 1).astype(np.float32), cover > 0.5)


def _placements(
    rng: np.random.Generator,
) -> list[tuple[NDArray[np.float64], float, float]]:
    """Return the centre, radius (fractions of the side) and angle of each copy."""
    angle = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.5:
        angle = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.05)
    if rng.random() < 0.75:
        return [(0.5 + rng.normal(0, 0.04, 2), rng.uniform(0.25, 0.46), angle)]
    count = int(rng.integers(2, 4))
    pitch = 1 / count
    jitter = rng.uniform(0, 0.03)
    turning = rng.random() < 0.3
    return [
        (
            (np.array([column, row]) + 0.5) * pitch + rng.normal(0, jitter, 2),
            0.42 * pitch,
            rng.uniform(0, 2 * np.pi) if turning else angle,
        )
        for row in range(count)
        for column in range(count)
    ]


def _draw(
    height: NDArray[np.uint8],
    outlines: Sequence[Outline],
    centre: NDArray[np.float64],
    radius: float,
    angle: float,
) -> None:
    size = height.shape[0]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for points, level in outlines:
        placed = (points @ turn * radius + centre) * size
        fixed = np.round(placed * 16).astype(np.int32)
        cv2.fillPoly(height, [fixed], level, cv2.LINE_AA, 4)


def _surface(rng: np.random.Generator, level: FloatArray) -> FloatArray:
    size = level.shape[0]
    low = random_colour(rng)
    colours = ramp(level, low, related_colour(rng, low, rng.uniform(0.03, 0.4)))
    finish = PATTERNS[str(rng.choice(_FINISHES))](rng, size) - 0.5
    bevel = cv2.GaussianBlur(level, (0, 0), rng.uniform(0.8, 3))
    shade = relief(rng, bevel, rng.uniform(0.01, 0.09))
    shade = shade + finish * np.float32(rng.uniform(0, 0.15))
    return colours + shade[..., None]


def _background(rng: np.random.Generator, size: int, cover: FloatArray) -> FloatArray:
    if rng.random() < 0.6:
        colour = np.full((size, size, 3), random_colour(rng, 0.0, 1.0), np.float32)
        noise = fractal_noise(rng, size, rng.uniform(1, 3), 2)
        background = colour + noise[..., None] * np.float32(rng.uniform(0, 0.03))
    else:
        background = paint(rng, PATTERNS[str(rng.choice(_BACKGROUNDS))](rng, size))
    if rng.random() < 0.5:
        offset = rng.normal(0, 0.015, 2) * size
        move = np.array([[1, 0, offset[0]], [0, 1, offset[1]]])
        shadow = cv2.warpAffine(cover, move, (size, size))
        shadow = cv2.GaussianBlur(shadow, (0, 0), rng.uniform(0.005, 0.03) * size)
        background = background * (1 - shadow[..., None] * np.float32(rng.uniform(0.1, 0.6)))
    return background
