"""Shapes of machined and moulded parts: outlines with heights, in units of the part's radius."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Outline = tuple[NDArray[np.float64], int]
Shape = Callable[[np.random.Generator], list[Outline]]

BODY, RAISED, SUNKEN, HOLE = 170, 255, 90, 0
"""Heights of an outline."""


def _circle(radius: float, x: float = 0.0, y: float = 0.0, corners: int = 48) -> NDArray:
    angle = np.arange(corners) * 2 * np.pi / corners
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1)


def _box(x: float, y: float, width: float, height: float) -> NDArray:
    """Return a rectangle by its centre and sides."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return corners * [width, height] + [x, y]


def _rounded(x: float, y: float, width: float, height: float, radius: float) -> NDArray:
    """Return a rectangle with rounded corners."""
    radius = min(radius, width / 2, height / 2)
    quarter = np.linspace(0, np.pi / 2, 8)
    arcs = []
    for turn, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = quarter + turn * np.pi / 2
        corner = np.array([x + sx * (width / 2 - radius), y + sy * (height / 2 - radius)])
        arcs.append(corner + radius * np.stack([np.cos(angle), np.sin(angle)], 1))
    return np.concatenate(arcs)


def _washer(rng: np.random.Generator) -> list[Outline]:
    hole = rng.uniform(0.25, 0.75)
    outlines: list[Outline] = [(_circle(1), BODY)]
    if rng.random() < 0.5:
        outlines.append((_circle((1 + hole) / 2), RAISED))
    return [*outlines, (_circle(hole), HOLE)]


def _nut(rng: np.random.Generator) -> list[Outline]:
    hole = rng.uniform(0.35, 0.6)
    return [
        (_circle(1, corners=6), BODY),
        (_circle(0.82), RAISED),
        (_circle(hole + 0.08), SUNKEN),
        (_circle(hole), HOLE),
    ]


def _gear(rng: np.random.Generator) -> list[Outline]:
    teeth = int(rng.integers(8, 30))
    depth = rng.uniform(0.08, 0.22)
    angle = np.arange(teeth * 4) * 2 * np.pi / (teeth * 4)
    radius = np.where(np.arange(teeth * 4) % 4 < 2, 1.0, 1 - depth)
    rim = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    outlines: list[Outline] = [(rim, BODY)]
    spokes = int(rng.integers(0, 7))
    for turn in np.arange(spokes) * 2 * np.pi / max(spokes, 1):
        outlines.append((_circle(0.14, 0.48 * np.cos(turn), 0.48 * np.sin(turn)), HOLE))
    return [*outlines, (_circle(0.28), RAISED), (_circle(0.15), HOLE)]


def _bracket(rng: np.random.Generator) -> list[Outline]:
    arm = rng.uniform(0.45, 0.8)
    hole = arm * rng.uniform(0.15, 0.3)
    edge = -1 + arm / 2
    outlines: list[Outline] = [
        (_rounded(edge, 0, arm, 2, 0.15), BODY),
        (_rounded(0, -edge, 2, arm, 0.15), BODY),
    ]
    for x, y in ((edge, -0.65), (edge, -0.1), (0.15, -edge), (0.7, -edge)):
        outlines.append((_circle(hole, x, y), HOLE))
    return outlines


def _cross(rng: np.random.Generator) -> list[Outline]:
    arm = rng.uniform(0.35, 0.8)
    return [
        (_rounded(0, 0, arm, 2, 0.1), BODY),
        (_rounded(0, 0, 2, arm, 0.1), BODY),
        (_circle(arm * 0.3), int(rng.choice([HOLE, RAISED, SUNKEN]))),
    ]


def _plate(rng: np.random.Generator) -> list[Outline]:
    height = rng.uniform(0.8, 1.8)
    outlines: list[Outline] = [(_rounded(0, 0, 2, height, rng.uniform(0.02, 0.4)), BODY)]
    inset = rng.uniform(0.18, 0.3)
    for sx in (-1, 1):
        for sy in (-1, 1):
            place = (sx * (1 - inset), sy * (height / 2 - inset))
            outlines.append((_circle(0.09, *place), HOLE))
    slots = int(rng.integers(0, 4))
    for x in (np.arange(slots) - (slots - 1) / 2) * 0.4:
        outlines.append((_rounded(x, 0, 0.16, height * 0.4, 0.08), SUNKEN))
    return outlines


def _capsule(rng: np.random.Generator) -> list[Outline]:
    width = rng.uniform(0.5, 0.9)
    outlines: list[Outline] = [(_rounded(0, 0, 2, width, width), BODY)]
    if rng.random() < 0.6:
        outlines.append((_rounded(0.48, 0, 1.04, width, width), RAISED))
        outlines.append((_box(0.15, 0, 0.4, width), RAISED))
    return outlines


def _connector(rng: np.random.Generator) -> list[Outline]:
    pins = int(rng.integers(4, 12))
    outlines: list[Outline] = [(_rounded(0, -0.1, 2, 0.9, 0.08), BODY)]
    for x in (np.arange(pins) + 0.5) / pins * 1.8 - 0.9:
        outlines.append((_box(x, 0.55, 0.9 / pins, 0.6), RAISED))
        outlines.append((_box(x, -0.1, 0.9 / pins, 0.4), SUNKEN))
    return outlines


def _cap(rng: np.random.Generator) -> list[Outline]:
    radii = np.sort(rng.uniform(0.2, 0.95, int(rng.integers(1, 5))))[::-1]
    levels = (RAISED, SUNKEN, BODY, RAISED)
    rings = [(_circle(radius), level) for radius, level in zip(radii, levels, strict=False)]
    return [(_circle(1), BODY), *rings]


def _screw(rng: np.random.Generator) -> list[Outline]:
    width = rng.uniform(0.25, 0.45)
    threads = int(rng.integers(8, 18))
    y = np.linspace(-0.55, 0.95, threads * 2)
    edge = np.where(np.arange(threads * 2) % 2 == 0, width, width * 0.78)
    shaft = np.concatenate([np.stack([edge, y], 1), np.stack([-edge, y], 1)[::-1]])
    outlines: list[Outline] = [(shaft, BODY), (_box(0, -0.6, width * 1.5, 0.3), BODY)]
    for place in y[:-2:2]:
        outlines.append((_box(0, place + 0.5 / threads, width * 1.8, 0.4 / threads), RAISED))
    return [*outlines, (_rounded(0, -0.85, width * 3.2, 0.3, 0.12), RAISED)]


def _blister(rng: np.random.Generator) -> list[Outline]:
    columns, rows = (int(n) for n in rng.integers(2, 5, 2))
    outlines: list[Outline] = [(_rounded(0, 0, 2, 2 * rows / max(rows, columns), 0.1), BODY)]
    pitch = 2 / max(rows, columns)
    for row in range(rows):
        for column in range(columns):
            x = (column - (columns - 1) / 2) * 2 / columns
            y = (row - (rows - 1) / 2) * pitch
            outlines.append((_circle(pitch * 0.36, x, y), RAISED))
    return outlines


def _gasket(rng: np.random.Generator) -> list[Outline]:
    lobes = int(rng.integers(3, 9))
    angle = np.arange(240) * 2 * np.pi / 240
    radius = 0.86 + 0.14 * np.cos(lobes * angle)
    rim = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    bolts: list[Outline] = [
        (_circle(0.08, 0.86 * np.cos(turn), 0.86 * np.sin(turn)), HOLE)
        for turn in np.arange(lobes) * 2 * np.pi / lobes
    ]
    return [(rim, BODY), *bolts, (_circle(rng.uniform(0.35, 0.6)), HOLE)]


def _spring(rng: np.random.Generator) -> list[Outline]:
    turns = int(rng.integers(5, 12))
    width = rng.uniform(0.4, 0.7)
    outlines: list[Outline] = []
    pitch = 2 / turns
    for turn in range(turns):
        y = -1 + (turn + 0.5) * pitch
        slant = np.array([[-width, y - pitch * 0.4], [width, y + pitch * 0.1]])
        thick = np.array([0, pitch * 0.45])
        outlines.append((np.concatenate([slant, (slant + thick)[::-1]]), RAISED))
    return outlines


def _terminal(rng: np.random.Generator) -> list[Outline]:
    radius = rng.uniform(0.35, 0.5)
    return [
        (_box(0, 0.2, radius * 0.9, 1.2), BODY),
        (_rounded(0, 0.7, radius * 1.5, 0.6, 0.1), RAISED),
        (_circle(radius, 0, radius - 1), BODY),
        (_circle(radius * rng.uniform(0.4, 0.65), 0, radius - 1), HOLE),
    ]


def _knob(rng: np.random.Generator) -> list[Outline]:
    points = int(rng.integers(3, 9))
    angle = np.arange(180) * 2 * np.pi / 180
    depth = rng.uniform(0.05, 0.25)
    radius = 1 - depth + depth * np.abs(np.cos(points * angle / 2))
    rim = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return [(rim, BODY), (rim * 0.7, RAISED), (_circle(0.2), SUNKEN)]


def _flange(rng: np.random.Generator) -> list[Outline]:
    bolts = int(rng.integers(3, 13))
    circle = rng.uniform(0.68, 0.84)
    size = rng.uniform(0.05, min(0.14, 0.95 - circle, 2.2 / bolts))
    hub = rng.uniform(0.3, circle - size - 0.05)
    outlines: list[Outline] = [(_circle(1), BODY), (_circle(hub), RAISED)]
    for turn in np.arange(bolts) * 2 * np.pi / bolts:
        outlines.append((_circle(size, circle * np.cos(turn), circle * np.sin(turn)), HOLE))
    return [*outlines, (_circle(hub * rng.uniform(0.3, 0.85)), HOLE)]


def _lever(rng: np.random.Generator) -> list[Outline]:
    large, small = rng.uniform(0.28, 0.45), rng.uniform(0.15, 0.28)
    left, right = large - 1, 1 - small
    arm = np.array([[left, -large], [right, -small], [right, small], [left, large]])
    outlines: list[Outline] = [
        (arm * [1, 0.8], BODY),
        (_circle(large, left), BODY),
        (_circle(small, right), BODY),
    ]
    if rng.random() < 0.6:
        outlines.append(
            (_rounded(0.05, 0, 0.6, small, small / 2), int(rng.choice([HOLE, SUNKEN, RAISED])))
        )
    return [
        *outlines,
        (_circle(large * rng.uniform(0.3, 0.7), left), HOLE),
        (_circle(small * rng.uniform(0.3, 0.7), right), HOLE),
    ]


def _bottle(rng: np.random.Generator) -> list[Outline]:
    width, neck = rng.uniform(0.7, 1.1), rng.uniform(0.25, 0.45)
    shoulder = rng.uniform(-0.5, -0.2)
    label = rng.uniform(0.3, 0.8)
    return [
        (_rounded(0, (1 + shoulder) / 2, width, 1 - shoulder, width * 0.3), BODY),
        (_box(0, shoulder / 2 - 0.4, neck, 0.9), BODY),
        (_rounded(0, -0.85, neck * rng.uniform(1, 1.4), 0.3, 0.05), RAISED),
        (_box(0, 0.35, width, label), int(rng.choice([BODY, RAISED, SUNKEN]))),
    ]


SHAPES: dict[str, Shape] = {
    "washer": _washer,
    "nut": _nut,
    "gear": _gear,
    "bracket": _bracket,
    "cross": _cross,
    "plate": _plate,
    "capsule": _capsule,
    "connector": _connector,
    "cap": _cap,
    "screw": _screw,
    "blister": _blister,
    "gasket": _gasket,
    "spring": _spring,
    "terminal": _terminal,
    "knob": _knob,
    "flange": _flange,
    "lever": _lever,
    "bottle": _bottle,
}
"""Function that returns the outlines, by family name."""
