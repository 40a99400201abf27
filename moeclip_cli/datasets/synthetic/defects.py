"""Kinds of defect. Each draws one flaw into a square picture and says where it lies.

A kind is a function of the picture (n, n, 3) in [0, 1], the place to put the flaw and a generator;
it returns the changed picture and a mask (n, n). Lengths scale with n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.colours import paint, random_colour
from moeclip_cli.datasets.synthetic.fields import (
    BoolArray,
    FloatArray,
    bend,
    fractal_noise,
    log_uniform,
    smoothstep,
)
from moeclip_cli.datasets.synthetic.textures import PATTERNS


@dataclass(frozen=True)
class Site:
    """Where a flaw goes.

    Attributes:
        centre: (x, y) in pixels.
        foreground: (n, n), where the object is.
    """

    centre: tuple[float, float]
    foreground: BoolArray


Flaw = tuple[FloatArray, BoolArray]
Defect = Callable[[FloatArray, Site, np.random.Generator], Flaw]

_SOFT = 0.12
"""A soft edge belongs to the mask where the flaw has at least this share of its full strength."""


def _blob(rng: np.random.Generator, n: int, site: Site, low: float, high: float) -> FloatArray:
    """A soft irregular patch, 1 inside and 0 outside; its radius is `low` to `high` of the side."""
    radius = log_uniform(rng, low, high) * n
    aspect, angle = log_uniform(rng, 1, 3), rng.uniform(0, np.pi)
    axis = np.arange(n, dtype=np.float32)
    x, y = axis[None, :] - site.centre[0], axis[:, None] - site.centre[1]
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = (
        (x * cos + y * sin) / np.float32(aspect**0.5),
        (y * cos - x * sin) * np.float32(aspect**0.5),
    )
    distance = np.hypot(u, v) / np.float32(radius)
    rough = fractal_noise(rng, n, min(0.6 * n / radius, n / 3), 2) * np.float32(rng.uniform(0, 0.3))
    edge = rng.choice([0.05, 0.2, 0.5])
    return smoothstep(1 + rough - distance, -edge / 2, edge / 2 + 0.02)


def _path(
    rng: np.random.Generator, n: int, site: Site, length: float, wiggle: float
) -> NDArray[np.float64]:
    """Points of a wandering line through the site; `length` is a fraction of the side."""
    steps = max(4, int(length * 24))
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, wiggle, steps))
    moves = np.stack([np.cos(turns), np.sin(turns)], 1) * length * n / steps
    points = np.cumsum(moves, 0)
    return points - points[steps // 2] + np.asarray(site.centre)


def _stroke(canvas: NDArray[np.uint8], points: NDArray[np.float64], width: float) -> None:
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, 255, max(1, round(width)), cv2.LINE_AA, 4)


def _alpha(canvas: NDArray[np.uint8], softness: float = 0.0) -> FloatArray:
    alpha: FloatArray = (canvas / 255).astype(np.float32)
    if softness > 0.2:
        alpha = cv2.GaussianBlur(alpha, (0, 0), softness)
    return alpha


def _contrast(rng: np.random.Generator, image: FloatArray, site: Site) -> float:
    """A signed change of brightness that the surface around the site does not hide."""
    n = image.shape[0]
    reach = max(4, n // 12)
    x, y = (int(c) for c in site.centre)
    around = image[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach].mean(2)
    change = log_uniform(rng, 0.07, 0.6) + 0.8 * float(around.std())
    bright = float(around.mean())
    upwards = rng.random() < (0.85 if bright < 0.25 else 0.15 if bright > 0.75 else 0.4)
    return min(change, 0.8) * (1 if upwards else -1)


def _tint(rng: np.random.Generator, change: float) -> FloatArray:
    """A change of colour around a change of brightness."""
    tint = rng.normal(0, 0.3, 3) if rng.random() < 0.4 else np.zeros(3)
    return (change * (1 + tint)).astype(np.float32)


def _shift_tone(image: FloatArray, alpha: FloatArray, change: FloatArray) -> Flaw:
    changed = np.clip(image + alpha[..., None] * change, 0, 1)
    return changed, alpha > _SOFT


def _blend(image: FloatArray, alpha: FloatArray, other: FloatArray | np.floating) -> Flaw:
    return image + alpha[..., None] * (other - image), alpha > _SOFT


def _scratch(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        points = _path(rng, n, site, log_uniform(rng, 0.08, 0.7), rng.uniform(0, 0.06))
        _stroke(canvas, points + rng.normal(0, 0.01 * n, 2), log_uniform(rng, 0.8, 4) * n / 224)
    change = _tint(rng, _contrast(rng, image, site))
    return _shift_tone(image, _alpha(canvas, rng.uniform(0, 1)), change)


def _crack(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    width = log_uniform(rng, 0.8, 3) * n / 224
    trunk = _path(rng, n, site, log_uniform(rng, 0.1, 0.7), rng.uniform(0.2, 0.6))
    _stroke(canvas, trunk, width)
    for _ in range(int(rng.integers(0, 5))):
        fork = Site(tuple(trunk[rng.integers(len(trunk))]), site.foreground)
        branch = _path(rng, n, fork, log_uniform(rng, 0.05, 0.25), 0.5)
        _stroke(canvas, branch[len(branch) // 2 :], width * 0.7)
    change = -abs(_contrast(rng, image, site)) if rng.random() < 0.8 else rng.uniform(0.15, 0.5)
    return _shift_tone(image, _alpha(canvas, rng.uniform(0, 0.8)), _tint(rng, change))


def _hair(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A fibre or hair lying on the surface."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    points = _path(rng, n, site, rng.uniform(0.15, 0.8), rng.uniform(0.1, 0.3))
    _stroke(canvas, points, rng.uniform(0.8, 2.5) * n / 224)
    return _blend(image, _alpha(canvas, 0.4) * 0.9, random_colour(rng, 0, 1))


def _stain(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    alpha = _blob(rng, image.shape[0], site, 0.02, 0.16)
    if rng.random() < 0.25:
        ring = alpha * (1 - alpha) * 4
        alpha = np.maximum(ring, alpha * np.float32(rng.uniform(0, 0.6)))
    return _shift_tone(image, alpha, _tint(rng, _contrast(rng, image, site)))


def _hole(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    alpha = _blob(rng, n, site, 0.012, 0.07)
    inside = np.float32(rng.uniform(0, 0.25)) if rng.random() < 0.7 else random_colour(rng, 0, 1)
    changed, mask = _blend(image, alpha, inside)
    if rng.random() < 0.4:
        rim = np.clip(cv2.GaussianBlur(alpha, (0, 0), n / 112) - alpha, 0, 1)
        changed = np.clip(changed + rim[..., None] * np.float32(rng.uniform(-0.8, 0.8)), 0, 1)
        mask |= rim > _SOFT
    return changed, mask


def _spots(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    spread = log_uniform(rng, 0.01, 0.1) * n
    for _ in range(int(rng.integers(1, 14))):
        x, y = np.asarray(site.centre) + rng.normal(0, spread, 2)
        radius = log_uniform(rng, 0.8, 5) * n / 224
        centre = (round(x * 16), round(y * 16))
        cv2.circle(canvas, centre, round(radius * 16), 255, cv2.FILLED, cv2.LINE_AA, 4)
    change = _contrast(rng, image, site) * rng.uniform(1, 1.5)
    return _shift_tone(image, _alpha(canvas, rng.uniform(0, 1)), _tint(rng, change))


def _moved(image: FloatArray, site: Site, rng: np.random.Generator) -> FloatArray:
    """The picture turned, scaled and shifted, so that another place lies at the site."""
    n = image.shape[0]
    turn = cv2.getRotationMatrix2D(site.centre, rng.uniform(25, 335), log_uniform(rng, 0.6, 1.7))
    turn[:, 2] += rng.uniform(-0.5, 0.5, 2) * n
    return cv2.warpAffine(image, turn, (n, n), borderMode=cv2.BORDER_REFLECT_101)


def _cut_paste(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    alpha = _blob(rng, image.shape[0], site, 0.03, 0.15)
    return _blend(image, alpha, _moved(image, site, rng) + np.float32(rng.normal(0, 0.04)))


def _foreign(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """Another material under a noisy mask."""
    n = image.shape[0]
    texture = paint(rng, np.clip(PATTERNS[str(rng.choice(list(PATTERNS)))](rng, n), 0, 1))
    alpha = _blob(rng, n, site, 0.02, 0.14)
    return _blend(image, alpha * np.float32(rng.uniform(0.3, 1)), texture)


def _blur(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    alpha = _blob(rng, n, site, 0.04, 0.18)
    return _blend(image, alpha, cv2.GaussianBlur(image, (0, 0), rng.uniform(1.5, 5) * n / 224))


def _warp(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    alpha = cv2.GaussianBlur(_blob(rng, n, site, 0.04, 0.16), (0, 0), n / 56)
    reach = np.float32(rng.uniform(4, 14) * n / 224)
    shifts = [fractal_noise(rng, n, rng.uniform(4, 12), 1) * reach * alpha for _ in range(2)]
    return bend(image, *shifts), alpha > _SOFT


def _pull(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """Threads pulled aside along a line."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    _stroke(canvas, _path(rng, n, site, rng.uniform(0.1, 0.6), 0.02), 3 * n / 224)
    alpha = cv2.GaussianBlur(_alpha(canvas), (0, 0), rng.uniform(1.5, 4) * n / 224)
    alpha = alpha / np.float32(max(float(alpha.max()), 1e-6))
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(4, 12) * n / 224
    dx, dy = np.float32(np.cos(angle) * reach), np.float32(np.sin(angle) * reach)
    pulled = bend(image, alpha * dx, alpha * dy)
    return np.clip(pulled + alpha[..., None] * np.float32(rng.normal(0, 0.08)), 0, 1), alpha > _SOFT


def _shift(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A strip that slipped along its length."""
    n = image.shape[0]
    width, length = (
        int(max(3, log_uniform(rng, *span) * n)) for span in ((0.02, 0.12), (0.1, 0.6))
    )
    slip = [int(rng.integers(-2, 3)), int(rng.uniform(0.02, 0.08) * n) + 2]
    if rng.random() < 0.5:
        width, length, slip = length, width, slip[::-1]
    x, y = (int(c) for c in site.centre)
    top, left = max(y - width // 2, 0), max(x - length // 2, 0)
    alpha = np.zeros((n, n), np.float32)
    alpha[top : top + width, left : left + length] = 1
    moved = np.roll(image, slip, (0, 1))
    return _blend(image, alpha, moved + np.float32(rng.normal(0, 0.05)))


def _missing(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A piece broken off: the background shows, or a smooth area where structure was."""
    n = image.shape[0]
    alpha = _blob(rng, n, site, 0.03, 0.12)
    behind = ~site.foreground
    if behind.mean() > 0.03:
        fill = np.median(image[behind][:: max(1, int(behind.sum()) // 2000)], 0)
        return _blend(image, alpha, fill.astype(np.float32))
    return _blend(image, alpha, np.median(image.reshape(-1, 3)[::23], 0).astype(np.float32))


def _wear(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """An abraded area: fine parallel scores within a patch."""
    n = image.shape[0]
    alpha = _blob(rng, n, site, 0.04, 0.16)
    scores = fractal_noise(rng, n, rng.uniform(40, 90), 1, stretch=rng.uniform(4, 20))
    turn = cv2.getRotationMatrix2D((n / 2, n / 2), rng.uniform(0, 360), 1.5)
    scores = cv2.warpAffine(scores, turn, (n, n), borderMode=cv2.BORDER_REFLECT)
    change = abs(_contrast(rng, image, site)) * (scores * 0.6 + np.float32(rng.normal(0, 0.4)))
    return np.clip(image + (alpha * change)[..., None], 0, 1), alpha > _SOFT


def _shade(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A straight-edged area that is darker or lighter than it should be."""
    n = image.shape[0]
    sides = np.array([log_uniform(rng, 0.03, 0.35), log_uniform(rng, 0.03, 0.35)]) * n
    angle = 0.0 if rng.random() < 0.7 else rng.uniform(0, 90)
    corners = cv2.boxPoints((site.centre, tuple(sides.tolist()), angle))
    canvas = np.zeros((n, n), np.uint8)
    cv2.fillPoly(canvas, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    alpha = _alpha(canvas, rng.uniform(0, 0.012) * n)
    return _shift_tone(image, alpha, _tint(rng, _contrast(rng, image, site)))


def _fold(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A crease: a light and a dark flank side by side."""
    n = image.shape[0]
    length, angle = rng.uniform(0.15, 0.8) * n, rng.uniform(0, np.pi)
    axis = np.arange(n, dtype=np.float32)
    x, y = axis[None, :] - site.centre[0], axis[:, None] - site.centre[1]
    along = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    across = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))
    across = across + np.float32(rng.normal(0, 0.3) / n) * along**2
    width = np.float32(rng.uniform(1.5, 6) * n / 224)
    ends = 1 - smoothstep(np.abs(along), length * 0.35, length * 0.5)
    profile = across / width * np.exp(0.5 - (across / width) ** 2 / 2) * ends
    changed = image + profile[..., None] * np.float32(abs(_contrast(rng, image, site)) * 0.7)
    return np.clip(changed, 0, 1).astype(np.float32), np.abs(profile) > 0.2


def _dent(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A dent or bubble: the surface is bent and lit from one side."""
    n = image.shape[0]
    alpha = cv2.GaussianBlur(_blob(rng, n, site, 0.03, 0.12), (0, 0), rng.uniform(2, 5) * n / 224)
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = cv2.Sobel(alpha, cv2.CV_32F, 1, 0), cv2.Sobel(alpha, cv2.CV_32F, 0, 1)
    slope = dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle))
    slope = slope / np.float32(max(float(np.abs(slope).max()), 1e-6))
    reach = np.float32(rng.uniform(10, 40) * n / 224)
    bent = bend(image, dx * reach, dy * reach)
    changed = bent + slope[..., None] * np.float32(abs(_contrast(rng, image, site)))
    return np.clip(changed, 0, 1), alpha > _SOFT


def _corrosion(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    n = image.shape[0]
    patch = _blob(rng, n, site, 0.04, 0.16)
    noise = fractal_noise(rng, n, rng.uniform(20, 50), 3, 0.7)
    alpha = patch * smoothstep(noise, -0.4, 0.8)
    base = np.array([0.45, 0.25, 0.1]) + rng.normal(0, 0.06, 3)
    if rng.random() < 0.3:
        base = np.asarray(rng.uniform(0.1, 0.9) * np.ones(3))
    rust = base.astype(np.float32) * (1 + np.float32(0.3) * noise[..., None])
    return _blend(image, alpha, rust)


def _smear(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """The surface dragged in one direction."""
    n = image.shape[0]
    alpha = _blob(rng, n, site, 0.04, 0.16)
    reach = max(5, int(rng.uniform(0.04, 0.1) * n)) | 1
    kernel = np.zeros((reach, reach), np.uint8)
    angle = rng.uniform(0, np.pi)
    offset = np.array([np.cos(angle), np.sin(angle)]) * reach / 2
    ends = np.round(np.array([-offset, offset]) + reach // 2).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1, 1)
    dragged = cv2.filter2D(image, -1, kernel.astype(np.float32) / max(int(kernel.sum()), 1))
    return _blend(image, alpha, dragged + np.float32(rng.normal(0, 0.05)))


def _discolour(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A patch whose hue or saturation changed while its structure stayed."""
    alpha = _blob(rng, image.shape[0], site, 0.03, 0.18)
    gain = np.exp(rng.normal(0, 0.35, 3)).astype(np.float32)
    return _blend(image, alpha, np.clip(image * gain + np.float32(rng.normal(0, 0.05)), 0, 1))


def _dead(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """A large area that a ragged line cuts off and that is darker or, seldom, lighter."""
    n = image.shape[0]
    sides = np.array([log_uniform(rng, 0.06, 0.5), log_uniform(rng, 0.06, 0.5)]) * n
    x, y = (np.arange(n, dtype=np.float32) - np.float32(c) for c in site.centre)
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else 0.0
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = x[None, :] * cos + y[:, None] * sin, y[:, None] * cos - x[None, :] * sin
    cut = rng.normal(0, 0.7) * u - v
    cut = cut + fractal_noise(rng, n, rng.uniform(3, 9), 3) * np.float32(rng.uniform(0, 0.04) * n)
    box = np.maximum(np.abs(u) - sides[0] / 2, np.abs(v) - sides[1] / 2)
    area = np.clip(np.minimum(cut + sides[1] / 4, -box) + 0.5, 0, 1).astype(np.float32)
    alpha = cv2.GaussianBlur(area, (0, 0), rng.uniform(0.3, 2.5) * n / 224)
    gain = rng.uniform(0.15, 0.85) if rng.random() < 0.8 else rng.uniform(1.2, 1.8)
    return _blend(image, alpha, np.clip(image * np.float32(gain), 0, 1))


def _breaks(image: FloatArray, site: Site, rng: np.random.Generator) -> Flaw:
    """Thin parallel stripes where lines of the product are interrupted."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    pitch = rng.uniform(2, 8) * n / 224
    x, y = site.centre
    for number in range(int(rng.integers(1, 9))):
        length = log_uniform(rng, 0.03, 0.3) * n
        left, top = x + rng.normal(-length / 2, 0.01 * n), y + number * pitch
        ends = np.round(np.array([[left, top], [left + length, top]]) * 16).astype(np.int32)
        width = max(1, round(rng.uniform(0.8, 3) * n / 224))
        cv2.line(canvas, ends[0].tolist(), ends[1].tolist(), 255, width, cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D(site.centre, 90, 1)
        canvas = cv2.warpAffine(canvas, turn, (n, n))
    change = abs(_contrast(rng, image, site)) * (-1 if rng.random() < 0.75 else 1)
    return _shift_tone(image, _alpha(canvas, rng.uniform(0, 0.8)), _tint(rng, change))


DEFECTS: dict[str, Defect] = {
    "scratch": _scratch,
    "crack": _crack,
    "hair": _hair,
    "stain": _stain,
    "hole": _hole,
    "spots": _spots,
    "cut_paste": _cut_paste,
    "foreign": _foreign,
    "blur": _blur,
    "warp": _warp,
    "pull": _pull,
    "shift": _shift,
    "missing": _missing,
    "wear": _wear,
    "shade": _shade,
    "fold": _fold,
    "dent": _dent,
    "corrosion": _corrosion,
    "smear": _smear,
    "discolour": _discolour,
    "dead": _dead,
    "breaks": _breaks,
}
"""Drawing function by kind."""
