"""Thin defects: scratches, cracks, hairs, spots, pulled threads, folds and interrupted lines."""

from __future__ import annotations

import cv2
import numpy as np

from moeclip_cli.datasets.synthetic.colours import random_colour
from moeclip_cli.datasets.synthetic.defect_drawing import (
    SOFT_EDGE,
    DrawnDefect,
    Site,
    blend,
    shift_tone,
    stroke,
    tint,
    to_alpha,
    visible_contrast,
    wandering_line,
)
from moeclip_cli.datasets.synthetic.fields import FloatArray, bend, log_uniform, smoothstep


def scratch(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """One or several scratches."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        points = wandering_line(rng, n, site, log_uniform(rng, 0.08, 0.7), rng.uniform(0, 0.06))
        stroke(canvas, points + rng.normal(0, 0.01 * n, 2), log_uniform(rng, 0.8, 4) * n / 224)
    change = tint(rng, visible_contrast(rng, image, site))
    return shift_tone(image, to_alpha(canvas, rng.uniform(0, 1)), change)


def crack(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A branched crack."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    width = log_uniform(rng, 0.8, 3) * n / 224
    trunk = wandering_line(rng, n, site, log_uniform(rng, 0.1, 0.7), rng.uniform(0.2, 0.6))
    stroke(canvas, trunk, width)
    for _ in range(int(rng.integers(0, 5))):
        fork = Site(tuple(trunk[rng.integers(len(trunk))]), site.foreground)
        branch = wandering_line(rng, n, fork, log_uniform(rng, 0.05, 0.25), 0.5)
        stroke(canvas, branch[len(branch) // 2 :], width * 0.7)
    change = (
        -abs(visible_contrast(rng, image, site)) if rng.random() < 0.8 else rng.uniform(0.15, 0.5)
    )
    return shift_tone(image, to_alpha(canvas, rng.uniform(0, 0.8)), tint(rng, change))


def hair(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A fibre or hair on the surface."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    points = wandering_line(rng, n, site, rng.uniform(0.15, 0.8), rng.uniform(0.1, 0.3))
    stroke(canvas, points, rng.uniform(0.8, 2.5) * n / 224)
    return blend(image, to_alpha(canvas, 0.4) * 0.9, random_colour(rng, 0, 1))


def spots(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """A cluster of small spots."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    spread = log_uniform(rng, 0.01, 0.1) * n
    for _ in range(int(rng.integers(1, 14))):
        x, y = np.asarray(site.centre) + rng.normal(0, spread, 2)
        radius = log_uniform(rng, 0.8, 5) * n / 224
        centre = (round(x * 16), round(y * 16))
        cv2.circle(canvas, centre, round(radius * 16), 255, cv2.FILLED, cv2.LINE_AA, 4)
    change = visible_contrast(rng, image, site) * rng.uniform(1, 1.5)
    return shift_tone(image, to_alpha(canvas, rng.uniform(0, 1)), tint(rng, change))


def pull(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
    """Threads pulled sideways along a line."""
    n = image.shape[0]
    canvas = np.zeros((n, n), np.uint8)
    stroke(canvas, wandering_line(rng, n, site, rng.uniform(0.1, 0.6), 0.02), 3 * n / 224)
    alpha = cv2.GaussianBlur(to_alpha(canvas), (0, 0), rng.uniform(1.5, 4) * n / 224)
    alpha = alpha / np.float32(max(float(alpha.max()), 1e-6))
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(4, 12) * n / 224
    dx, dy = np.float32(np.cos(angle) * reach), np.float32(np.sin(angle) * reach)
    pulled = bend(image, alpha * dx, alpha * dy)
    shaded = pulled + alpha[..., None] * np.float32(rng.normal(0, 0.08))
    return np.clip(shaded, 0, 1), alpha > SOFT_EDGE


def fold(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
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
    changed = image + profile[..., None] * np.float32(abs(visible_contrast(rng, image, site)) * 0.7)
    return np.clip(changed, 0, 1).astype(np.float32), np.abs(profile) > 0.2


def breaks(image: FloatArray, site: Site, rng: np.random.Generator) -> DrawnDefect:
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
    change = abs(visible_contrast(rng, image, site)) * (-1 if rng.random() < 0.75 else 1)
    return shift_tone(image, to_alpha(canvas, rng.uniform(0, 0.8)), tint(rng, change))
