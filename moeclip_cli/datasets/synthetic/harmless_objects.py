"""Objects that are not defects: frames, labels, seams, clamps, marks, screw heads and pointers.

Each function changes the image (n, n, 3) in place.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.colours import random_colour
from moeclip_cli.datasets.synthetic.fields import FloatArray, pixel_axes, smoothstep


def border(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A frame on one to four sides: the edge of the product, the tray or the image."""
    size = pixels.shape[0]
    colour = random_colour(rng, 0, 1) if rng.random() < 0.5 else np.float32(rng.choice([0.02, 1]))
    cover = np.zeros((size, size), np.float32)
    for side in rng.permutation(4)[: rng.integers(1, 5)]:
        width = max(1, int(rng.uniform(0.01, 0.12) * size))
        np.rot90(cover, int(side))[:width] = 1
    if rng.random() < 0.3:
        x, y = pixel_axes(size)
        corner = np.abs(x - 0.5) + np.abs(y - 0.5)
        cover = np.maximum(cover, (corner > rng.uniform(0.85, 0.97)).astype(np.float32))
    cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.5))
    pixels += cover[..., None] * (colour - pixels)


def label(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A sticker with text or a bar code, usually straight and near the border."""
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


def seam(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A straight joint, weld or edge across the whole image."""
    x, y = pixel_axes(pixels.shape[0])
    angle = rng.integers(2) * np.pi / 2 + rng.normal(0, 0.02)
    across = (x - rng.uniform(0.1, 0.9)) * np.float32(np.cos(angle))
    across = across + (y - rng.uniform(0.1, 0.9)) * np.float32(np.sin(angle))
    line = np.exp(-((across / np.float32(rng.uniform(0.004, 0.03))) ** 2))
    pixels += line[..., None] * np.float32(rng.choice([-1, 1]) * rng.uniform(0.08, 0.4))
    if rng.random() < 0.4:
        step = smoothstep(across.astype(np.float32), -0.005, 0.005)
        pixels += step[..., None] * np.float32(rng.uniform(-0.2, 0.2))


def strips(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A few parallel conductors or ribs across the whole image."""
    size = pixels.shape[0]
    count = int(rng.integers(2, 6))
    width = max(1, int(rng.uniform(0.01, 0.04) * size))
    colour = random_colour(rng)
    view = pixels if rng.random() < 0.5 else pixels.transpose(1, 0, 2)
    for index in range(count):
        start = int((index + 0.5) * size / count)
        view[start : start + width] += np.float32(0.8) * (colour - view[start : start + width])


def fixture(rng: np.random.Generator, pixels: FloatArray) -> None:
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


def mark(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A printed, engraved or moulded sign: a letter, an arrow or a simple outline."""
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


def studs(rng: np.random.Generator, pixels: FloatArray) -> None:
    """Screw heads, lamps, buttons or drilled holes, alone or arranged symmetrically."""
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


def pointer(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A straight bar: a hand pivoted at its end, a probe, or a rod from the border."""
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
    """Return a position as people choose it: usually in the middle or along a side."""
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
