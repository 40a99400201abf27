"""Families of assembled or printed panels, which fill the image with a regular structure."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.colours import (
    paint,
    random_colour,
    related_colour,
    relief,
)
from moeclip_cli.datasets.synthetic.fields import BoolArray
from moeclip_cli.datasets.synthetic.scene import Scene
from moeclip_cli.datasets.synthetic.textures import PATTERNS
from moeclip_cli.datasets.synthetic.wafers import monocrystal, multicrystal

Canvas = NDArray[np.uint8]
Colour = list[float]
Panel = Callable[[np.random.Generator, Canvas], None]

_SURFACES = ("plain", "plain", "plaster", "brushed", "spangle", "carpet", "marble")


def panel(rng: np.random.Generator, size: int, layout: str) -> Scene:
    """Return a scene of the named layout."""
    pixels = paint(rng, np.clip(PATTERNS[str(rng.choice(_SURFACES))](rng, size), 0, 1))
    # OpenCV draws antialiased lines and text on 8-bit images only.
    canvas = np.ascontiguousarray(np.round(pixels * 255), np.uint8)
    LAYOUTS[layout](rng, canvas)
    drawn = (canvas / 255).astype(np.float32)
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(drawn.mean(2), (0, 0), rng.uniform(0.8, 2))
        drawn += relief(rng, grey, rng.uniform(0.005, 0.04))[..., None]
    whole: BoolArray = np.ones((size, size), bool)
    return Scene(np.clip(drawn, 0, 1).astype(np.float32), whole)


def _tone(rng: np.random.Generator, pixels: Canvas, contrast: float) -> Colour:
    """Return a colour that differs from the panel by `contrast`."""
    middle = (pixels.mean((0, 1)) / 255).astype(np.float32)
    return [float(c) for c in related_colour(rng, middle, contrast) * 255]


def _colour(rng: np.random.Generator, low: float = 0.05, high: float = 0.95) -> Colour:
    return [float(c) for c in random_colour(rng, low, high) * 255]


def _positions(rng: np.random.Generator, count: int, size: int) -> list[float]:
    """Return evenly spaced positions with a random offset, in pixels."""
    pitch = size / count
    return [float((i + rng.uniform(0.45, 0.55)) * pitch) for i in range(count)]


def _line(
    pixels: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: Colour,
    width: float,
) -> None:
    a = (round(start[0] * 16), round(start[1] * 16))
    b = (round(end[0] * 16), round(end[1] * 16))
    cv2.line(pixels, a, b, colour, max(1, round(width)), cv2.LINE_AA, 4)


def _rectangle(
    pixels: Canvas, x: float, y: float, width: float, height: float, colour: Colour
) -> None:
    a = (round((x - width / 2) * 16), round((y - height / 2) * 16))
    b = (round((x + width / 2) * 16), round((y + height / 2) * 16))
    cv2.rectangle(pixels, a, b, colour, cv2.FILLED, cv2.LINE_AA, 4)


def _bars(rng: np.random.Generator, pixels: Canvas) -> None:
    """A few wide bars across many thin lines."""
    size = pixels.shape[0]
    thin = _tone(rng, pixels, rng.uniform(0.02, 0.15))
    for place in _positions(rng, int(rng.integers(12, 45)), size):
        _line(pixels, (0, place), (size, place), thin, size / 224)
    wide = _tone(rng, pixels, rng.uniform(0.15, 0.6))
    width = rng.uniform(0.012, 0.05) * size
    for place in _positions(rng, int(rng.integers(2, 6)), size):
        _rectangle(pixels, place, size / 2, width, size * 2, wide)
    if rng.random() < 0.5:
        pixels[:] = pixels.transpose(1, 0, 2).copy()


def _keypad(rng: np.random.Generator, pixels: Canvas) -> None:
    size = pixels.shape[0]
    count = int(rng.integers(2, 7))
    pitch, fill = size / count, rng.uniform(0.5, 0.85)
    face = _tone(rng, pixels, rng.uniform(0.1, 0.5))
    ink = _colour(rng)
    glyphs = rng.permutation(list("0123456789ABCDEFGHKLMNPRSTUVXYZ#*+=%"))
    for row in range(count):
        for column in range(count):
            x, y = (column + 0.5) * pitch, (row + 0.5) * pitch
            _rectangle(pixels, x, y, pitch * fill, pitch * fill, face)
            glyph = str(glyphs[(row * count + column) % len(glyphs)])
            at = (int(x - pitch * 0.12), int(y + pitch * 0.12))
            cv2.putText(pixels, glyph, at, cv2.FONT_HERSHEY_SIMPLEX, pitch / 80, ink, 1, 16)


def _board(rng: np.random.Generator, pixels: Canvas) -> None:
    """Traces, pads and packages on a grid, as on a circuit board."""
    size = pixels.shape[0]
    grid = size / int(rng.integers(10, 20))
    trace, pad = _tone(rng, pixels, 0.12), _tone(rng, pixels, 0.45)
    cells = int(size / grid)
    for _ in range(int(rng.integers(6, 16))):
        points = rng.integers(0, cells + 1, (3, 2)) * grid
        corner = np.array([points[1, 0], points[0, 1]])
        _line(pixels, tuple(points[0]), tuple(corner), trace, grid * 0.25)
        _line(pixels, tuple(corner), tuple(points[1]), trace, grid * 0.25)
        for x, y in points[:2]:
            cv2.circle(pixels, (round(x), round(y)), max(1, round(grid * 0.25)), pad, -1, 16)
    body = _colour(rng, 0.05, 0.4)
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.integers(2, cells - 1, 2) * grid
        width, height = rng.integers(2, 5, 2) * grid
        for offset in np.arange(-width / 2 + grid / 3, width / 2, grid * 0.5):
            _rectangle(pixels, x + offset, y, grid * 0.2, height + grid * 0.7, pad)
        _rectangle(pixels, x, y, width, height, body)


def _vents(rng: np.random.Generator, pixels: Canvas) -> None:
    """Rows of slots."""
    size = pixels.shape[0]
    rows, columns = int(rng.integers(5, 18)), int(rng.integers(1, 4))
    slot = _tone(rng, pixels, rng.uniform(0.15, 0.6))
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) * size / columns, (row + 0.5) * size / rows
            _rectangle(pixels, x, y, size / columns * 0.8, size / rows * 0.45, slot)


def _gauge(rng: np.random.Generator, pixels: Canvas) -> None:
    size = pixels.shape[0]
    centre = (size // 2, size // 2)
    radius = rng.uniform(0.35, 0.47) * size
    face, ink = _tone(rng, pixels, 0.4), _colour(rng)
    cv2.circle(pixels, centre, int(radius), face, -1, cv2.LINE_AA)
    for turn in np.linspace(0.75 * np.pi, 2.25 * np.pi, int(rng.integers(9, 41))):
        ray = np.array([np.cos(turn), np.sin(turn)])
        inner, outer = ray * radius * 0.8 + size / 2, ray * radius * 0.92 + size / 2
        _line(pixels, tuple(inner), tuple(outer), ink, size / 150)
    turn = rng.uniform(0.75 * np.pi, 2.25 * np.pi)
    tip = np.array([np.cos(turn), np.sin(turn)]) * radius * 0.7 + size / 2
    _line(pixels, centre, tuple(tip), [180.0, 25.0, 25.0], size / 75)
    cv2.circle(pixels, centre, int(radius * 0.1), ink, -1, cv2.LINE_AA)


def _print(rng: np.random.Generator, pixels: Canvas) -> None:
    """Lines of text."""
    size = pixels.shape[0]
    ink = _tone(rng, pixels, rng.uniform(0.2, 0.8))
    letters = list("ABCDEFGHJKLMNPRSTUVWXYZ0123456789 -/.")
    height = rng.uniform(0.06, 0.16) * size
    for row in np.arange(height, size, height * rng.uniform(1.1, 1.8)):
        text = "".join(rng.choice(letters, int(rng.integers(4, 24))))
        at = (int(rng.choice([0.05, 0.1]) * size), int(row))
        cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_DUPLEX, height / 40, ink, 1, 16)


def _frames(rng: np.random.Generator, pixels: Canvas) -> None:
    """Rectangular fields separated by frames."""
    size = pixels.shape[0]
    frame = _tone(rng, pixels, rng.uniform(0.15, 0.6))
    width = rng.uniform(0.01, 0.06) * size
    for place in _positions(rng, int(rng.integers(1, 5)), size):
        _rectangle(pixels, place, size / 2, width, size * 2, frame)
    for place in _positions(rng, int(rng.integers(1, 5)), size):
        _rectangle(pixels, size / 2, place, size * 2, width, frame)


def _cells(rng: np.random.Generator, pixels: Canvas) -> None:
    """Round cells side by side, as in a tray or a battery pack."""
    size = pixels.shape[0]
    count = int(rng.integers(2, 7))
    pitch = size / count
    body, rim = _tone(rng, pixels, 0.35), _tone(rng, pixels, 0.2)
    core = _colour(rng)
    inner = rng.uniform(0.08, 0.3)
    for row in range(count + 1):
        for column in range(count + 1):
            x = (column + 0.5 * (row % 2)) * pitch
            centre = (round(x * 16), round((row + 0.5) * pitch * 16))
            for part, colour in ((0.46, rim), (0.4, body), (inner, core)):
                cv2.circle(pixels, centre, round(part * pitch * 16), colour, -1, 16, 4)


def _wires(rng: np.random.Generator, pixels: Canvas) -> None:
    """Parallel cables of several colours."""
    size = pixels.shape[0]
    count = int(rng.integers(4, 12))
    colours = [_colour(rng) for _ in range(int(rng.integers(1, 5)))]
    profile = np.sin(np.pi * (np.arange(size) * count / size % 1)).astype(np.float32)
    for index in range(count):
        rows = slice(index * size // count, (index + 1) * size // count)
        light = 0.25 + 0.75 * profile[rows, None, None]
        pixels[rows] = np.asarray(colours[index % len(colours)]) * light
    if rng.random() < 0.5:
        pixels[:] = pixels.transpose(1, 0, 2).copy()


LAYOUTS: dict[str, Panel] = {
    "bars": _bars,
    "keypad": _keypad,
    "board": _board,
    "vents": _vents,
    "gauge": _gauge,
    "print": _print,
    "frames": _frames,
    "cells": _cells,
    "wires": _wires,
    "wafer": monocrystal,
    "multicrystal": multicrystal,
}
"""Drawing function by family name."""
