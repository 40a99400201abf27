"""Nuisances: things that look odd and yet are no defect.

Light, shadows, frames, labels and the like are the commonest cause of false alarms, so that clean
images must be full of them. Each function changes the picture in place.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.colours import random_colour
from moeclip_cli.datasets.synthetic.fields import FloatArray, fractal_noise, smoothstep

Nuisance = Callable[[np.random.Generator, FloatArray], None]


def disturb(rng: np.random.Generator, pixels: FloatArray, glowing: bool = False) -> FloatArray:
    """The picture as a camera on the shop floor would see it: 0 to 3 nuisances, then the camera.

    What glows by itself is photographed in the dark: no lamp, no shadow, nothing laid on it.
    """
    pixels = np.ascontiguousarray(pixels, np.float32)
    names = list(_WITHOUT_LAMP if glowing else NUISANCES)
    count = min(int(rng.choice(4, p=[0.27, 0.35, 0.23, 0.15])), len(names))
    weights = np.array([_SELDOM.get(name, 1.0) for name in names])
    for name in rng.choice(names, count, replace=False, p=weights / weights.sum()):
        NUISANCES[str(name)](rng, pixels)
    return _camera(rng, np.clip(pixels, 0, 1))


def _camera(rng: np.random.Generator, pixels: FloatArray) -> FloatArray:
    """Defocus, exposure and sensor noise."""
    if rng.random() < 0.35:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < 0.4:
        pixels = pixels ** np.float32(rng.uniform(0.6, 1.6))
    if rng.random() < 0.4:
        noise = rng.standard_normal(pixels.shape[:2], dtype=np.float32)
        pixels = pixels + noise[..., None] * np.float32(rng.uniform(0.002, 0.025))
    return np.clip(pixels, 0, 1).astype(np.float32)


def _axes(size: int) -> tuple[FloatArray, FloatArray]:
    axis = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return axis[None, :], axis[:, None]


def _gradient(rng: np.random.Generator, pixels: FloatArray) -> None:
    x, y = _axes(pixels.shape[0])
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle))
    pixels *= (1 + slope * np.float32(rng.uniform(0.1, 0.9)))[..., None]


def _vignette(rng: np.random.Generator, pixels: FloatArray) -> None:
    x, y = _axes(pixels.shape[0])
    centre = rng.normal(0.5, 0.08, 2).astype(np.float32)
    distance = np.hypot(x - centre[0], y - centre[1])
    power = np.float32(rng.uniform(1.5, 4))
    fall = np.clip(1 - (distance / 0.75) ** power * np.float32(rng.uniform(0.2, 0.9)), 0.05, 1)
    pixels *= fall[..., None].astype(np.float32)


def _uneven(rng: np.random.Generator, pixels: FloatArray) -> None:
    noise = fractal_noise(rng, pixels.shape[0], rng.uniform(1, 3), 1)
    pixels *= np.exp(noise * np.float32(rng.uniform(0.03, 0.2)))[..., None]


def _highlight(rng: np.random.Generator, pixels: FloatArray) -> None:
    """One to three soft reflections of lamps, round or as streaks."""
    x, y = _axes(pixels.shape[0])
    for _ in range(int(rng.integers(1, 4))):
        centre, angle = rng.uniform(0, 1, 2).astype(np.float32), rng.uniform(0, np.pi)
        u = (x - centre[0]) * np.float32(np.cos(angle)) + (y - centre[1]) * np.float32(
            np.sin(angle)
        )
        v = (y - centre[1]) * np.float32(np.cos(angle)) - (x - centre[0]) * np.float32(
            np.sin(angle)
        )
        wide = np.float32(rng.uniform(0.05, 0.2))
        long = wide * np.float32(rng.choice([1, 1, 2, 6]))
        glow = np.exp(-((u / long) ** 2 + (v / wide) ** 2)) * np.float32(rng.uniform(0.1, 0.7))
        pixels += glow[..., None] * (1 - np.clip(pixels, 0, 1))


def _shadow(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A soft-edged shadow that enters from the border."""
    x, y = _axes(pixels.shape[0])
    angle = rng.uniform(0, 2 * np.pi)
    side = (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle))
    side = side + np.float32(0.02) * fractal_noise(rng, pixels.shape[0], rng.uniform(1, 3), 1)
    start = rng.uniform(-0.1, 0.45)
    dark = smoothstep(side, start, start + rng.uniform(0.02, 0.2))
    pixels *= (1 - dark * np.float32(rng.uniform(0.15, 0.7)))[..., None]


def _border(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A frame on one to four sides: the edge of the product, of the tray or of the picture."""
    size = pixels.shape[0]
    colour = random_colour(rng, 0, 1) if rng.random() < 0.5 else np.float32(rng.choice([0.02, 1]))
    cover = np.zeros((size, size), np.float32)
    for side in rng.permutation(4)[: rng.integers(1, 5)]:
        width = max(1, int(rng.uniform(0.01, 0.12) * size))
        np.rot90(cover, int(side))[:width] = 1
    if rng.random() < 0.3:
        x, y = _axes(size)
        corner = np.abs(x - 0.5) + np.abs(y - 0.5)
        cover = np.maximum(cover, (corner > rng.uniform(0.85, 0.97)).astype(np.float32))
    cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.5))
    pixels += cover[..., None] * (colour - pixels)


def _label(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A sticker with text or a bar code, straight and near the border more often than not."""
    size = pixels.shape[0]
    width, height = (int(size * rng.uniform(*span)) for span in ((0.15, 0.45), (0.07, 0.2)))
    sticker = np.full((height, width, 3), random_colour(rng, 0.5, 1) * 255, np.uint8)
    ink = [float(c) for c in random_colour(rng, 0, 0.3) * 255]
    if rng.random() < 0.5:
        stripes = np.repeat(rng.random(width // 2 + 1) < 0.5, 2)[:width]
        sticker[height // 6 : -height // 4, stripes] = ink
    else:
        text = "".join(rng.choice(list("ABCDEFHKLMNPRSTXZ0123456789-"), 10))
        at = (2, int(height * 0.7))
        cv2.putText(sticker, text, at, cv2.FONT_HERSHEY_SIMPLEX, height / 45, ink, 1, cv2.LINE_AA)
    if rng.random() < 0.3:
        sticker = np.ascontiguousarray(np.rot90(sticker))
    height, width = sticker.shape[:2]
    spread = 0.15 if rng.random() < 0.6 else 0.5
    left = int(rng.beta(spread, spread) * (size - width))
    top = int(rng.beta(spread, spread) * (size - height))
    pixels[top : top + height, left : left + width] = sticker / np.float32(255)


def _seam(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A straight joint, weld or edge that runs through the whole picture."""
    x, y = _axes(pixels.shape[0])
    angle = rng.integers(2) * np.pi / 2 + rng.normal(0, 0.02)
    across = (x - rng.uniform(0.1, 0.9)) * np.float32(np.cos(angle))
    across = across + (y - rng.uniform(0.1, 0.9)) * np.float32(np.sin(angle))
    line = np.exp(-((across / np.float32(rng.uniform(0.004, 0.03))) ** 2))
    pixels += line[..., None] * np.float32(rng.choice([-1, 1]) * rng.uniform(0.08, 0.4))
    if rng.random() < 0.4:
        step = smoothstep(across.astype(np.float32), -0.005, 0.005)
        pixels += step[..., None] * np.float32(rng.uniform(-0.2, 0.2))


def _strips(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A few parallel conductors or ribs across the whole picture."""
    size = pixels.shape[0]
    count = int(rng.integers(2, 6))
    width = max(1, int(rng.uniform(0.01, 0.04) * size))
    colour = random_colour(rng)
    view = pixels if rng.random() < 0.5 else pixels.transpose(1, 0, 2)
    for index in range(count):
        start = int((index + 0.5) * size / count)
        view[start : start + width] += np.float32(0.8) * (colour - view[start : start + width])


def _fixture(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A clamp, pin or mark that reaches in from the border."""
    size = pixels.shape[0]
    cover = np.zeros((size, size), np.uint8)
    width, depth = rng.uniform(0.05, 0.25) * size, rng.uniform(0.05, 0.18) * size
    for place in rng.uniform(0.1, 0.9, int(rng.integers(1, 3))) * size:
        left, right = int(place - width / 2), int(place + width / 2)
        if rng.random() < 0.5:
            cv2.rectangle(cover, (left, -1), (right, int(depth)), 255, cv2.FILLED)
        else:
            cv2.circle(cover, (int(place), 0), int(depth), 255, cv2.FILLED, cv2.LINE_AA)
    alpha = np.rot90(cover, int(rng.integers(4)))[..., None] / np.float32(255)
    pixels += alpha * (random_colour(rng) - pixels)


def _mark(rng: np.random.Generator, pixels: FloatArray) -> None:
    """One printed, engraved or moulded sign: a letter, an arrow or a simple outline."""
    size = pixels.shape[0]
    side = int(size * rng.uniform(0.08, 0.3))
    cover = np.zeros((side, side), np.uint8)
    line = max(1, int(side * rng.uniform(0.03, 0.12)))
    low, middle, high = side // 6, side // 2, side - side // 6
    sign = rng.integers(5)
    if sign == 0:
        glyph = str(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789&")))
        at = (low, high)
        cv2.putText(cover, glyph, at, cv2.FONT_HERSHEY_SIMPLEX, side / 32, 255, line, cv2.LINE_AA)
    elif sign == 1:
        tip, tail = (high, middle), (low, middle)
        cv2.arrowedLine(cover, tail, tip, 255, line, cv2.LINE_AA, tipLength=0.35)
    elif sign == 2:
        cv2.circle(cover, (middle, middle), middle - low, 255, line, cv2.LINE_AA)
    elif sign == 3:
        cv2.line(cover, (low, middle), (high, middle), 255, line, cv2.LINE_AA)
        cv2.line(cover, (middle, low), (middle, high), 255, line, cv2.LINE_AA)
    else:
        corners = np.array([[low, high], [high, high], [middle, low]])
        cv2.polylines(cover, [corners], True, 255, line, cv2.LINE_AA)
    cover = np.rot90(cover, int(rng.integers(4)))
    left, top = _tidy_place(rng, size - side)
    alpha = cover[..., None] / np.float32(255) * np.float32(rng.uniform(0.4, 1))
    view = pixels[top : top + side, left : left + side]
    view += alpha * (random_colour(rng, 0, 1) - view)


def _studs(rng: np.random.Generator, pixels: FloatArray) -> None:
    """Screw heads, lamps, buttons or bored holes: round, with rings, one or a symmetrical few."""
    size = pixels.shape[0]
    radius = size * rng.uniform(0.02, 0.1)
    inset = rng.uniform(0.08, 0.3)
    layouts = (
        [(0.5, 0.5)],
        [(inset, 0.5), (1 - inset, 0.5)],
        [(inset, inset), (1 - inset, inset), (inset, 1 - inset), (1 - inset, 1 - inset)],
        [tuple(rng.choice([inset, 0.5, 1 - inset], 2))],
    )
    places = layouts[rng.integers(len(layouts))]
    shares = np.sort(rng.uniform(0.2, 0.9, int(rng.integers(1, 4))))[::-1]
    rings = [(share, random_colour(rng, 0, 1)) for share in (1, *shares)]
    slot = rng.integers(3)
    ink, turn = random_colour(rng, 0, 0.3), rng.uniform(0, np.pi)
    for x, y in places:
        centre = np.array([x, y]) * size
        for share, colour in rings:
            _fill_circle(pixels, centre, share * radius, colour)
        for arm in range(slot):
            angle = turn + arm * np.pi / 2
            ray = np.array([np.cos(angle), np.sin(angle)]) * radius * 0.6
            _fill_bar(pixels, centre - ray, centre + ray, radius * 0.2, ink)


def _pointer(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A straight bar: a hand that turns about its end, a probe or a rod from the border."""
    size = pixels.shape[0]
    angle = rng.uniform(0, 2 * np.pi)
    ray = np.array([np.cos(angle), np.sin(angle)])
    width = size * rng.uniform(0.008, 0.05)
    colour = random_colour(rng, 0, 1)
    if rng.random() < 0.5:
        start = size * rng.normal(0.5, 0.1, 2)
        _fill_bar(pixels, start, start + ray * size * rng.uniform(0.15, 0.45), width, colour)
        _fill_circle(pixels, start, width * rng.uniform(1, 3), random_colour(rng, 0, 1))
    else:
        end = size * rng.uniform(0.2, 0.8, 2)
        _fill_bar(pixels, end, end + ray * size * 1.5, width, colour)


def _tidy_place(rng: np.random.Generator, room: int) -> tuple[int, int]:
    """Where people put things: in the middle or along a side more often than anywhere."""
    shares = [0.5 if rng.random() < 0.3 else float(rng.choice([0.06, 0.94])) for _ in range(2)]
    if rng.random() < 0.3:
        shares = list(rng.random(2))
    return int(shares[0] * room), int(shares[1] * room)


def _fill_circle(
    pixels: FloatArray, centre: NDArray[np.float64], radius: float, colour: FloatArray
) -> None:
    cover = np.zeros(pixels.shape[:2], np.uint8)
    at = (round(centre[0] * 16), round(centre[1] * 16))
    cv2.circle(cover, at, max(8, round(radius * 16)), 255, cv2.FILLED, cv2.LINE_AA, 4)
    pixels += cover[..., None] / np.float32(255) * (colour - pixels)


def _fill_bar(
    pixels: FloatArray,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    width: float,
    colour: FloatArray,
) -> None:
    cover = np.zeros(pixels.shape[:2], np.uint8)
    (ax, ay), (bx, by) = np.round(np.array([start, end]) * 16).astype(int).tolist()
    cv2.line(cover, (ax, ay), (bx, by), 255, max(1, round(width)), cv2.LINE_AA, 4)
    pixels += cover[..., None] / np.float32(255) * (colour - pixels)


NUISANCES: dict[str, Nuisance] = {
    "gradient": _gradient,
    "vignette": _vignette,
    "uneven": _uneven,
    "highlight": _highlight,
    "shadow": _shadow,
    "border": _border,
    "label": _label,
    "seam": _seam,
    "strips": _strips,
    "fixture": _fixture,
    "mark": _mark,
    "studs": _studs,
    "pointer": _pointer,
}
"""Nuisance by name."""

_WITHOUT_LAMP = ("uneven", "border")

# What only its tidy shape tells from a flaw must not become the rule.
_SELDOM = {"mark": 0.5, "studs": 0.5, "pointer": 0.5}
