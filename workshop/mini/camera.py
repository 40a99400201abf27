"""Camera effects, applied to a complete image: blur, noise and JPEG compression.

Generated defects are drawn sharp and without noise into images that may be blurred and noisy. A
network would learn that difference and miss the defects of real photographs, which are as blurred,
noisy and compressed as their surroundings. Both images of a pair are therefore taken by one camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.fields import log_uniform

_PERFECT_SHARE = 0.7
"""Share of cameras without blur, noise and compression."""

_REFERENCE_SIDE = 448
"""Side in pixels of the images that `Camera.blur` refers to."""


@dataclass(frozen=True)
class Camera:
    """Settings of one camera.

    Attributes:
        blur: standard deviation of the lens's Gaussian blur, in pixels of an image with a side of
            `_REFERENCE_SIDE`; 0 for a sharp lens.
        noise: standard deviation of the sensor noise, as a fraction of white.
        grain: standard deviation in pixels of the Gaussian that correlates the noise.
        quality: JPEG quality, 1 to 100; None for a lossless file.
    """

    blur: float = 0.0
    noise: float = 0.0
    grain: float = 0.0
    quality: int | None = None


def any_camera(rng: np.random.Generator) -> Camera:
    """Return a random camera, a share `_PERFECT_SHARE` of which are perfect."""
    if rng.random() < _PERFECT_SHARE:
        return Camera()
    return Camera(
        blur=log_uniform(rng, 0.4, 2.8) if rng.random() < 0.6 else 0.0,
        noise=log_uniform(rng, 0.004, 0.05) if rng.random() < 0.7 else 0.0,
        grain=rng.uniform(0.4, 1.2) if rng.random() < 0.5 else 0.0,
        quality=int(rng.integers(35, 96)) if rng.random() < 0.4 else None,
    )


def photograph(
    pictures: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> list[NDArray[np.uint8]]:
    """Take images (S, S, 3) RGB uint8 with one random camera."""
    camera = any_camera(rng)
    return [take(camera, pixels, rng) for pixels in pictures]


def take(camera: Camera, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take an image (S, S, 3) RGB uint8 with a camera; each call has new noise."""
    blur = camera.blur * len(pixels) / _REFERENCE_SIDE
    if blur > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), blur)
    if camera.noise > 0:
        noise = _noise(camera, len(pixels), rng)
        pixels = np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)
    if camera.quality is not None:
        flags = [cv2.IMWRITE_JPEG_QUALITY, camera.quality]
        # JPEG treats the channels differently.
        encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)[1]
        pixels = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return pixels


def _noise(camera: Camera, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise (size, size) in grey levels; its deviation does not depend on the grain."""
    noise = rng.standard_normal((size, size), dtype=np.float32)
    if camera.grain > 0:
        noise = cv2.GaussianBlur(noise, (0, 0), camera.grain)
        noise /= noise.std()
    # Half a level turns the truncation to an integer into rounding.
    return noise * np.float32(255 * camera.noise) + np.float32(0.5)
