"""Electroluminescence images of solar cells, and defects that only solar cells have.

A current through the cell makes it emit near-infrared light, and areas that do not conduct stay
dark. Darkness is therefore meaningful here, unlike in an image lit by a lamp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.defect_drawing import Defect, DrawnDefect, Site
from moeclip_cli.datasets.synthetic.fields import (
    FloatArray,
    bend,
    fractal_noise,
    log_uniform,
    smoothstep,
    voronoi,
)

Canvas = NDArray[np.uint8]


def monocrystal(rng: np.random.Generator, pixels: Canvas) -> None:
    """Draw a monocrystalline cell: even, at most with faint rings around its axis."""
    glow = _exposure(rng, len(pixels))
    if rng.random() < 0.3:
        glow *= _rings(rng, len(pixels))
    _finish(rng, pixels, glow, cut=rng.uniform(0.03, 0.16) if rng.random() < 0.8 else 0)


def multicrystal(rng: np.random.Generator, pixels: Canvas) -> None:
    """Draw a multicrystalline cell, with dark clouds of dislocations that are normal for it."""
    glow = _exposure(rng, len(pixels))
    for _ in range(int(rng.integers(1, 3))):
        glow *= _grains(rng, len(pixels))
    if rng.random() < 0.8:
        glow *= _clouds(rng, len(pixels))
    _finish(rng, pixels, glow, cut=rng.uniform(0.02, 0.08) if rng.random() < 0.2 else 0)


def _exposure(rng: np.random.Generator, size: int) -> FloatArray:
    """Return the level and slow variation of the emitted light."""
    slow = fractal_noise(rng, size, rng.uniform(1, 4), 2) * np.float32(rng.uniform(0, 0.2))
    return np.float32(rng.uniform(0.35, 0.95)) * np.exp(slow)


def _rings(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = _from_centre(size, rng.normal(0.5, 0.3, 2))
    wave = np.cos(np.hypot(x, y) * np.float32(2 * np.pi * rng.uniform(4, 30)))
    return (1 + wave * np.float32(rng.uniform(0.01, 0.06))).astype(np.float32)


def _grains(rng: np.random.Generator, size: int) -> FloatArray:
    """Return crystals of different brightness, some with dark borders."""
    _, labels, border = voronoi(rng, size, log_uniform(rng, 4, 30))
    wander = fractal_noise(rng, size, rng.uniform(8, 30), 2) * np.float32(0.02 * size)
    tones = rng.normal(0, rng.uniform(0.03, 0.2), int(labels.max()) + 1).astype(np.float32)
    dark = np.float32(rng.uniform(0, 0.5) if rng.random() < 0.5 else 0)
    rough = tones[labels] - dark * np.exp(-border * np.float32(rng.uniform(0.5, 1.5) * 224 / size))
    return np.exp(bend(rough, wander, np.ascontiguousarray(wander.T)))


def _clouds(rng: np.random.Generator, size: int) -> FloatArray:
    """Return soft dark clouds, dense in some crystals and absent in others."""
    noise = fractal_noise(rng, size, log_uniform(rng, 5, 25), 3, 0.6)
    share = fractal_noise(rng, size, rng.uniform(2, 6), 2)
    start = rng.uniform(-0.3, 0.8)
    cloud = smoothstep(noise + share * np.float32(rng.uniform(0, 0.7)), start, start + 1.5)
    return 1 - np.float32(rng.uniform(0.15, 0.7)) * cloud


def _finish(rng: np.random.Generator, pixels: Canvas, glow: FloatArray, cut: float) -> None:
    """Add the conductors, the outline with its corners cut off by `cut`, and camera noise."""
    size = len(pixels)
    glow = glow * _conductors(rng, size)
    level = np.float32(0.03 * rng.random())
    outside = _outside(rng, size, np.float32(cut))
    glow = glow + outside * (level - glow)
    noise = rng.standard_normal((size, size), dtype=np.float32)
    glow = glow + noise * np.float32(rng.uniform(0, 0.025))
    if rng.random() < 0.5:
        glow = glow.T
    tint = np.float32(1) if rng.random() < 0.8 else rng.uniform(0.4, 1, 3).astype(np.float32)
    pixels[:] = np.clip(glow[..., None] * tint * 255, 0, 255).astype(np.uint8)


def _conductors(rng: np.random.Generator, size: int) -> FloatArray:
    """Return dark busbars and fine fingers, with light that falls off between busbars."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    fingers = rng.integers(size // 12, size // 3)
    fine = 1 - np.float32(rng.uniform(0, 0.1)) * (axis * fingers % 1 < rng.uniform(0.2, 0.5))
    count = int(rng.integers(2, 6))
    offset = np.abs((axis * count + rng.normal(0, 0.03)) % 1 - 0.5) * 2
    fall = 1 - np.float32(rng.uniform(0, 0.3) * (rng.random() < 0.6)) * offset**2
    width = rng.uniform(0.008, 0.035) * count
    gap = smoothstep(offset, width, width + 2 * count / size)
    across = fall * (1 - np.float32(rng.uniform(0.3, 0.95)) * (1 - gap))
    return (fine[:, None] * across[None, :]).astype(np.float32)


def _outside(rng: np.random.Generator, size: int, cut: np.float32) -> FloatArray:
    """Return 1 around the cell and where its corners are cut or rounded, else 0."""
    half = np.float32(rng.uniform(0.46, 0.52))
    x, y = (np.abs(c) for c in _from_centre(size, rng.normal(0.5, 0.005, 2)))
    edge = np.maximum(x, y) - half
    if rng.random() < 0.5:
        corner = x + y - (2 * half - cut)
    else:
        corner = np.hypot(x, y) - (np.float32(2**0.5) * half - cut)
    return np.clip(np.maximum(edge, corner) * size + 0.5, 0, 1).astype(np.float32)


def _from_centre(size: int, centre: NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    return axis[None, :] - np.float32(centre[0]), axis[:, None] - np.float32(centre[1])


def _severed(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A crack from edge to edge that cuts off one side, which is darker as a result."""
    n = image.shape[0]
    x, y = (np.arange(n, dtype=np.float32) - np.float32(c) for c in site.centre)
    angle = rng.uniform(0, 2 * np.pi)
    side = x[None, :] * np.float32(np.cos(angle)) + y[:, None] * np.float32(np.sin(angle))
    side += fractal_noise(rng, n, rng.uniform(2, 8), 3) * np.float32(rng.uniform(0, 0.05) * n)
    beyond = smoothstep(side, 0, rng.uniform(0.5, 4) * n / 224)
    if rng.random() < 0.5:
        # A busbar stops it: the part beyond is supplied from another side.
        along = (x[None, :] if rng.random() < 0.5 else y[:, None]) * rng.choice([-1, 1])
        reach = rng.uniform(0.1, 0.5) * n
        beyond = beyond * (1 - smoothstep(along.astype(np.float32), reach, reach + 2))
    gain = rng.uniform(0.05, 0.65)
    fade = smoothstep(side, 0, n) * np.float32(rng.uniform(0, 0.3) * (rng.random() < 0.4))
    return _darken(rng, image, beyond * np.float32(1 - gain) * (1 - fade))


def _inactive(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A cell that glows weakly as a whole because hardly any current flows through it."""
    n = image.shape[0]
    uneven = fractal_noise(rng, n, rng.uniform(1, 4), 2) * np.float32(rng.uniform(0, 0.1))
    depth = np.clip(np.float32(rng.uniform(0.4, 0.88)) + uneven, 0, 0.95)
    return _darken(rng, image, depth)


def _darken(rng: np.random.Generator, image: FloatArray, depth: FloatArray) -> DrawnDefect:
    """Reduce the light but not the noise of the camera."""
    n = image.shape[0]
    noise = rng.standard_normal((n, n), dtype=np.float32) * np.float32(rng.uniform(0, 0.02))
    changed = image * (1 - depth[..., None]) + noise[..., None]
    # The background around the cell is dark before and after.
    area = (depth > 0.05) & (image.mean(2) > 0.08)
    return np.clip(changed, 0, 1).astype(np.float32), area


CELL_DEFECTS: dict[str, Defect] = {"severed": _severed, "inactive": _inactive}
"""Drawing function by type of defect."""
