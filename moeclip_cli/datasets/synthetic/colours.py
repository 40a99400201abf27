"""Colours, and surfaces coloured by a scalar field."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from moeclip_cli.datasets.synthetic.fields import FloatArray, fractal_noise, log_uniform


def random_colour(rng: np.random.Generator, low: float = 0.05, high: float = 0.95) -> FloatArray:
    """Return an RGB colour in [0, 1], most often a grey or muted tone, as in factories."""
    saturation = 0.0 if rng.random() < 0.35 else float(rng.beta(1.2, 2.5))
    colour = colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(low, high))
    return np.asarray(colour, np.float32)


def related_colour(rng: np.random.Generator, colour: FloatArray, contrast: float) -> FloatArray:
    """Return a slightly tinted colour that differs from `colour` in brightness by `contrast`."""
    brightness = float(colour.mean())
    sign = 1.0 if rng.random() < 1 - brightness else -1.0
    tint = rng.normal(0, 0.15 * contrast, 3)
    return np.clip(colour + sign * contrast + tint, 0, 1).astype(np.float32)


def ramp(value: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Interpolate colours (size, size, 3) from `first` at value 0 to `second` at value 1."""
    return first + value[..., None] * (second - first)


def relief(rng: np.random.Generator, height: FloatArray, strength: float) -> FloatArray:
    """Return the shading (size, size) of a height field lit from a random side, around 0."""
    angle = rng.uniform(0, 2 * np.pi)
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3)
    slope = np.float32(np.cos(angle)) * dx + np.float32(np.sin(angle)) * dy
    spread = float(slope.std()) + 1e-6
    return np.clip(slope * np.float32(strength / spread), -3 * strength, 3 * strength)


def paint(rng: np.random.Generator, value: FloatArray) -> FloatArray:
    """Return a surface (size, size, 3) in [0, 1] whose colour follows a field in [0, 1].

    Contrast, colours, relief, large-scale variation and grain are random.
    """
    size = value.shape[0]
    first = random_colour(rng)
    contrast = log_uniform(rng, 0.06, 0.6)
    second = related_colour(rng, first, contrast)
    if rng.random() < 0.15:
        second = random_colour(rng)
    surface = ramp(value, first, second)
    shade = np.zeros((size, size), np.float32)
    if rng.random() < 0.35:
        shade += relief(rng, value, rng.uniform(0.01, 0.08))
    if rng.random() < 0.3:
        shade += fractal_noise(rng, size, rng.uniform(1, 4), 2) * np.float32(rng.uniform(0, 0.03))
    if rng.random() < 0.5:
        grain = fractal_noise(rng, size, size * rng.uniform(0.3, 1.0), 1)
        shade += grain * np.float32(rng.uniform(0, 0.03))
    return np.clip(surface + shade[..., None], 0, 1)
