"""Uneven light: gradients, vignetting, reflections and shadows.

Each function changes the image (n, n, 3) in place.
"""

from __future__ import annotations

import numpy as np

from moeclip_cli.datasets.synthetic.fields import FloatArray, fractal_noise, pixel_axes, smoothstep


def gradient(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A linear gradient of brightness."""
    x, y = pixel_axes(pixels.shape[0])
    angle = rng.uniform(0, 2 * np.pi)
    slope = (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle))
    pixels *= (1 + slope * np.float32(rng.uniform(0.1, 0.9)))[..., None]


def vignette(rng: np.random.Generator, pixels: FloatArray) -> None:
    """Brightness that falls off towards the corners."""
    x, y = pixel_axes(pixels.shape[0])
    centre = rng.normal(0.5, 0.08, 2).astype(np.float32)
    distance = np.hypot(x - centre[0], y - centre[1])
    power = np.float32(rng.uniform(1.5, 4))
    fall = np.clip(1 - (distance / 0.75) ** power * np.float32(rng.uniform(0.2, 0.9)), 0.05, 1)
    pixels *= fall[..., None].astype(np.float32)


def uneven(rng: np.random.Generator, pixels: FloatArray) -> None:
    """Slow random variation of brightness."""
    noise = fractal_noise(rng, pixels.shape[0], rng.uniform(1, 3), 1)
    pixels *= np.exp(noise * np.float32(rng.uniform(0.03, 0.2)))[..., None]


def highlight(rng: np.random.Generator, pixels: FloatArray) -> None:
    """One to three soft reflections of lamps, round or elongated."""
    x, y = pixel_axes(pixels.shape[0])
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


def shadow(rng: np.random.Generator, pixels: FloatArray) -> None:
    """A soft-edged shadow that enters from the border."""
    x, y = pixel_axes(pixels.shape[0])
    angle = rng.uniform(0, 2 * np.pi)
    side = (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle))
    side = side + np.float32(0.02) * fractal_noise(rng, pixels.shape[0], rng.uniform(1, 3), 1)
    start = rng.uniform(-0.1, 0.45)
    dark = smoothstep(side, start, start + rng.uniform(0.02, 0.2))
    pixels *= (1 - dark * np.float32(rng.uniform(0.15, 0.7)))[..., None]
