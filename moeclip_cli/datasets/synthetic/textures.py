"""Families of surface textures: each pattern is a field in [0, 1], coloured by `colours.paint`."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from moeclip_cli.datasets.synthetic.colours import paint
from moeclip_cli.datasets.synthetic.fields import (
    FloatArray,
    fractal_noise,
    log_uniform,
    plane,
    rotate,
    smoothstep,
    to_unit,
    voronoi,
)

Pattern = Callable[[np.random.Generator, int], FloatArray]


def texture(rng: np.random.Generator, size: int, pattern: str) -> FloatArray:
    """Return a coloured texture (size, size, 3) in [0, 1] of the named pattern."""
    return paint(rng, np.clip(PATTERNS[pattern](rng, size), 0, 1).astype(np.float32))


def _fraction(value: FloatArray) -> FloatArray:
    return value - np.floor(value)


def _hash(rng: np.random.Generator, *cells: FloatArray) -> FloatArray:
    """Return one random number in [0, 1] per lattice cell, constant within the cell."""
    table = rng.random(997).astype(np.float32)
    key = np.zeros(cells[0].shape, np.int64)
    for prime, cell in zip((73_856_093, 19_349_663), cells, strict=False):
        key ^= np.floor(cell).astype(np.int64) * prime
    return table[np.abs(key) % 997]


def _wave(rng: np.random.Generator, phase: FloatArray) -> FloatArray:
    """Return a periodic profile in [0, 1] of a random shape."""
    sine = 0.5 + 0.5 * np.sin(2 * np.pi * phase).astype(np.float32)
    shape = rng.integers(4)
    if shape == 0:
        return sine
    if shape == 1:
        return smoothstep(sine, *sorted(rng.uniform(0.2, 0.8, 2)))
    if shape == 2:
        return _fraction(phase)
    return sine ** np.float32(rng.uniform(2, 8))


def _plain(rng: np.random.Generator, size: int) -> FloatArray:
    noise = fractal_noise(rng, size, rng.uniform(1, 3), 2)
    return 0.5 + np.float32(rng.uniform(0, 0.08)) * noise


def _plaster(rng: np.random.Generator, size: int) -> FloatArray:
    cells, gain = log_uniform(rng, 4, 60), rng.uniform(0.4, 0.9)
    return 0.5 + 0.2 * fractal_noise(rng, size, cells, 4, gain)


def _cast(rng: np.random.Generator, size: int) -> FloatArray:
    noise = fractal_noise(rng, size, log_uniform(rng, 15, 70), 2)
    return smoothstep(np.abs(noise), rng.uniform(0, 0.5), rng.uniform(0.8, 2))


def _grating(rng: np.random.Generator, size: int) -> FloatArray:
    x, _ = plane(rng, size)
    return _wave(rng, x / np.float32(log_uniform(rng, 0.02, 0.15)))


def _ripple(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.005)
    centre = 10.5 + rng.uniform(-1.5, 1.5, 2)
    radius = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1]))
    return _wave(rng, radius / np.float32(log_uniform(rng, 0.015, 0.1)))


def _weave(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.006)
    pitch = np.float32(log_uniform(rng, 0.02, 0.1))
    u, v = x / pitch, y / (pitch * np.float32(rng.uniform(0.7, 1.4)))
    over = (np.floor(u) + np.floor(v)) % 2 < 1
    return _threads(rng, u, v, over)


def _twill(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.006)
    pitch = np.float32(log_uniform(rng, 0.015, 0.06))
    u, v = x / pitch, y / pitch
    repeat = rng.integers(3, 6)
    over = (np.floor(u) + np.floor(v)) % repeat < rng.integers(1, repeat)
    return _threads(rng, u, v, over)


def _threads(
    rng: np.random.Generator, u: FloatArray, v: FloatArray, over: np.ndarray
) -> FloatArray:
    """Return warp threads along v where `over` is True and weft threads along u elsewhere."""
    uneven = rng.uniform(0, 0.25)
    warp = np.sin(np.pi * _fraction(u)) * (1 - uneven * _hash(rng, u))
    weft = np.sin(np.pi * _fraction(v)) * (1 - uneven * _hash(rng, v))
    weft = weft * np.float32(rng.uniform(0.4, 1.0))
    return np.where(over, warp, weft).astype(np.float32)


def _knit(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.01)
    pitch = np.float32(log_uniform(rng, 0.03, 0.1))
    column = _fraction(x / pitch)
    slant = np.abs(column - 0.5) * np.float32(rng.uniform(0.8, 2.5))
    loop = 0.5 + 0.5 * np.cos(2 * np.pi * (y / pitch * np.float32(rng.uniform(1, 1.8)) - slant))
    return (loop * np.sin(2 * np.pi * column) ** 2).astype(np.float32)


def _bricks(rng: np.random.Generator, size: int) -> FloatArray:
    return _blocks(rng, size, offset=rng.choice([0.5, 0.33]))


def _tiles(rng: np.random.Generator, size: int) -> FloatArray:
    return _blocks(rng, size, offset=0.0)


def _blocks(rng: np.random.Generator, size: int, offset: float) -> FloatArray:
    x, y = plane(rng, size, "near" if rng.random() < 0.6 else "any", wobble=0.004)
    height = log_uniform(rng, 0.06, 0.3)
    aspect = rng.uniform(1.5, 3.5) if offset else 1.0
    v = y / np.float32(height)
    u = x / np.float32(height * aspect) + np.floor(v) * np.float32(offset)
    gap = rng.uniform(0.02, 0.08)
    edge_v = np.minimum(_fraction(v), 1 - _fraction(v))
    edge_u = np.minimum(_fraction(u), 1 - _fraction(u)) * np.float32(aspect)
    body = smoothstep(np.minimum(edge_u, edge_v), gap, gap + rng.uniform(0.01, 0.08))
    tone = 1 - np.float32(rng.uniform(0, 0.5)) * _hash(rng, u, v)
    rough = np.float32(rng.uniform(0, 0.08)) * fractal_noise(rng, size, rng.uniform(10, 50), 2)
    return np.clip(body * tone + rough, 0, 1)


def _checker(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.004)
    pitch = np.float32(log_uniform(rng, 0.03, 0.2))
    product = np.sin(np.pi * x / pitch) * np.sin(np.pi * y / pitch)
    return smoothstep(product, -0.1, 0.1)


def _dots(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.004)
    pitch = log_uniform(rng, 0.04, 0.16)
    v = y / np.float32(pitch)
    u = x / np.float32(pitch) + np.floor(v) * np.float32(rng.choice([0, 0.5]))
    radius = np.hypot(_fraction(u) - 0.5, _fraction(v) - 0.5)
    edge = rng.uniform(0.15, 0.42)
    return 1 - smoothstep(radius, edge - 0.05, edge + 0.05)


def _mesh(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.004)
    pitch = np.float32(log_uniform(rng, 0.03, 0.15))
    skew = np.float32(rng.uniform(-0.6, 0.6) * (rng.random() < 0.4))
    u, v = _fraction(x / pitch + skew * y / pitch), _fraction(y / pitch)
    wire = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    width = rng.uniform(0.05, 0.2)
    return 1 - smoothstep(wire, width * 0.6, width)


def _honeycomb(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.004)
    pitch = np.float32(log_uniform(rng, 0.04, 0.15))
    directions = np.arange(3) * np.pi / 3
    total = sum(
        np.cos(2 * np.pi * (x * np.float32(np.cos(a)) + y * np.float32(np.sin(a))) / pitch)
        for a in directions
    )
    low = rng.uniform(-1.2, 0.5)
    return smoothstep(np.asarray(total, np.float32), low, low + rng.uniform(0.2, 1.5))


def _brushed(rng: np.random.Generator, size: int) -> FloatArray:
    noise = fractal_noise(rng, size, log_uniform(rng, 15, 60), 3, 0.7, stretch=rng.uniform(20, 200))
    return 0.5 + 0.2 * rotate(noise, rng.uniform(0, 360))


def _wood(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, "near", wobble=0.01)
    bending = fractal_noise(rng, size, rng.uniform(1, 3), 2) * np.float32(rng.uniform(0.005, 0.03))
    squeeze = np.float32(rng.uniform(0.05, 0.3))
    radius = np.hypot(x - np.float32(10 + rng.random()) + bending, (y - 10.5) * squeeze)
    rings = _fraction(radius / np.float32(log_uniform(rng, 0.03, 0.12)))
    fibres = fractal_noise(rng, size, 30, 2, 0.7, stretch=rng.uniform(10, 40))
    return 0.8 * rings + 0.06 * fibres


def _leather(rng: np.random.Generator, size: int) -> FloatArray:
    _, _, border = voronoi(rng, size, log_uniform(rng, 10, 45))
    return smoothstep(cv2.GaussianBlur(border, (0, 0), 0.7), 0, rng.uniform(2, 5))


def _gravel(rng: np.random.Generator, size: int) -> FloatArray:
    distance, labels, border = voronoi(rng, size, log_uniform(rng, 8, 35))
    tone = rng.random(int(labels.max()) + 1).astype(np.float32)[labels]
    dome = 1 - distance / np.float32(max(float(distance.max()), 1.0))
    return smoothstep(border, 0, 3) * (0.4 * tone + 0.6 * dome)


def _spangle(rng: np.random.Generator, size: int) -> FloatArray:
    _, labels, _ = voronoi(rng, size, log_uniform(rng, 4, 20))
    tone = rng.random(int(labels.max()) + 1).astype(np.float32)[labels]
    blurred = cv2.GaussianBlur(tone, (0, 0), rng.uniform(0.5, 2))
    return blurred + 0.05 * fractal_noise(rng, size, 40, 2)


def _terrazzo(rng: np.random.Generator, size: int) -> FloatArray:
    _, labels, border = voronoi(rng, size, log_uniform(rng, 10, 35))
    tone = rng.random(int(labels.max()) + 1).astype(np.float32)
    chip = tone > rng.uniform(0.3, 0.7)
    inside = smoothstep(border, 1.5, 3.5)
    return 0.3 + 0.7 * inside * (tone * chip)[labels]


def _carpet(rng: np.random.Generator, size: int) -> FloatArray:
    fine = fractal_noise(rng, size, size * rng.uniform(0.25, 0.6), 2)
    coarse = fractal_noise(rng, size, rng.uniform(20, 50), 2)
    return 0.5 + 0.15 * fine + np.float32(rng.uniform(0, 0.12)) * coarse


def _fibres(rng: np.random.Generator, size: int) -> FloatArray:
    canvas = np.zeros((size, size), np.uint8)
    count = int(rng.integers(150, 500))
    start = rng.uniform(-0.1, 1.1, (count, 2)) * size
    angle = rng.normal(rng.uniform(0, np.pi), rng.choice([0.2, 3.0]), count)
    step = np.stack([np.cos(angle), np.sin(angle)], 1) * size * rng.uniform(0.08, 0.3)
    tones = rng.integers(60, 255, count)
    for a, b, tone in zip(start, start + step, tones, strict=True):
        ends = np.stack([a, b]).astype(int)
        cv2.line(canvas, ends[0].tolist(), ends[1].tolist(), int(tone), 1, cv2.LINE_AA)
    return cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 1.2)).astype(np.float32) / 255


def _marble(rng: np.random.Generator, size: int) -> FloatArray:
    x, _ = plane(rng, size)
    bending = fractal_noise(rng, size, rng.uniform(2, 5), 4) * np.float32(rng.uniform(0.3, 1.2))
    veins = np.abs(np.sin(np.pi * (x / np.float32(rng.uniform(0.15, 0.5)) + bending)))
    return veins.astype(np.float32) ** np.float32(rng.uniform(0.3, 1.5))


def _hammered(rng: np.random.Generator, size: int) -> FloatArray:
    distance, _, _ = voronoi(rng, size, log_uniform(rng, 8, 30))
    return to_unit(cv2.GaussianBlur(distance, (0, 0), 1.5))


def _chequer_plate(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = plane(rng, size, wobble=0.004)
    pitch = np.float32(log_uniform(rng, 0.08, 0.2))
    u, v = x / pitch, y / pitch
    along = (np.floor(u) + np.floor(v)) % 2 < 1
    a, b = _fraction(u) - 0.5, _fraction(v) - 0.5
    long_axis, short_axis = np.where(along, a, b), np.where(along, b, a)
    radius = np.hypot(long_axis, short_axis * np.float32(rng.uniform(2, 4)))
    return 1 - smoothstep(radius, 0.34, 0.46)


PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "plaster": _plaster,
    "cast": _cast,
    "grating": _grating,
    "ripple": _ripple,
    "weave": _weave,
    "twill": _twill,
    "knit": _knit,
    "bricks": _bricks,
    "tiles": _tiles,
    "checker": _checker,
    "dots": _dots,
    "mesh": _mesh,
    "honeycomb": _honeycomb,
    "brushed": _brushed,
    "wood": _wood,
    "leather": _leather,
    "gravel": _gravel,
    "spangle": _spangle,
    "terrazzo": _terrazzo,
    "carpet": _carpet,
    "fibres": _fibres,
    "marble": _marble,
    "hammered": _hammered,
    "chequer_plate": _chequer_plate,
}
"""Function that returns the pattern, by family name."""
