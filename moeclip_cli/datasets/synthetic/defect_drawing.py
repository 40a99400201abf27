"""Drawing tools for defects, and the types that describe a defect.

Images are square, (n, n, 3) in [0, 1]; lengths scale with the side n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.fields import (
    BoolArray,
    FloatArray,
    fractal_noise,
    log_uniform,
    smoothstep,
)


@dataclass(frozen=True)
class Site:
    """Position of a defect.

    Attributes:
        centre: (x, y) in pixels.
        foreground: (n, n), True on the object.
    """

    centre: tuple[float, float]
    foreground: BoolArray


DrawnDefect = tuple[FloatArray, BoolArray]
"""Changed image (n, n, 3) in [0, 1] and mask (n, n) of the defect."""

Defect = Callable[[FloatArray, Site, np.random.Generator], DrawnDefect]
"""Type of defect: a function that draws it at a site of an image (n, n, 3) in [0, 1]."""

SOFT_EDGE = 0.12
"""Fraction of a defect's full strength at which its soft edge is cut off in the mask."""


def blob(rng: np.random.Generator, n: int, site: Site, low: float, high: float) -> FloatArray:
    """Return a soft irregular patch, 1 inside and 0 outside, with a radius of `low` to `high`."""
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


def wandering_line(
    rng: np.random.Generator, n: int, site: Site, length: float, wiggle: float
) -> NDArray[np.float64]:
    """Return the points (p, 2) of a wandering line through the site; `length` is relative."""
    steps = max(4, int(length * 24))
    turns = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, wiggle, steps))
    moves = np.stack([np.cos(turns), np.sin(turns)], 1) * length * n / steps
    points = np.cumsum(moves, 0)
    return points - points[steps // 2] + np.asarray(site.centre)


def stroke(canvas: NDArray[np.uint8], points: NDArray[np.float64], width: float) -> None:
    """Draw a line through `points` on an 8-bit canvas; the width is in pixels."""
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, 255, max(1, round(width)), cv2.LINE_AA, 4)


def to_alpha(canvas: NDArray[np.uint8], softness: float = 0.0) -> FloatArray:
    """Convert an 8-bit canvas to opacity in [0, 1], blurred by `softness` pixels."""
    alpha: FloatArray = (canvas / 255).astype(np.float32)
    if softness > 0.2:
        alpha = cv2.GaussianBlur(alpha, (0, 0), softness)
    return alpha


def visible_contrast(rng: np.random.Generator, image: FloatArray, site: Site) -> float:
    """Return a signed change of brightness that the texture around the site does not hide."""
    n = image.shape[0]
    reach = max(4, n // 12)
    x, y = (int(c) for c in site.centre)
    surroundings = image[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach].mean(2)
    change = log_uniform(rng, 0.07, 0.6) + 0.8 * float(surroundings.std())
    brightness = float(surroundings.mean())
    if brightness < 0.25:
        lighter_share = 0.85
    elif brightness > 0.75:
        lighter_share = 0.15
    else:
        lighter_share = 0.4
    return min(change, 0.8) * (1 if rng.random() < lighter_share else -1)


def tint(rng: np.random.Generator, change: float) -> FloatArray:
    """Return a change of colour with about the given change of brightness."""
    tint = rng.normal(0, 0.3, 3) if rng.random() < 0.4 else np.zeros(3)
    return (change * (1 + tint)).astype(np.float32)


def shift_tone(image: FloatArray, alpha: FloatArray, change: FloatArray) -> DrawnDefect:
    """Add `change` to the image, weighted by `alpha`."""
    changed = np.clip(image + alpha[..., None] * change, 0, 1)
    return changed, alpha > SOFT_EDGE


def blend(image: FloatArray, alpha: FloatArray, other: FloatArray | np.floating) -> DrawnDefect:
    """Blend `other` into the image, weighted by `alpha`."""
    return image + alpha[..., None] * (other - image), alpha > SOFT_EDGE
