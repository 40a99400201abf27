"""What a camera does to a picture after everything in it is in place.

Generated defects are drawn sharp and free of noise into pictures that may be neither. A network
learns to look for that, and misses the flaws of real photographs, which are as blurred, as noisy
and as compressed as what is around them. So both pictures of a pair are taken by one camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic.fields import log_uniform

_PERFECT = 0.7
_REFERENCE_SIDE = 448


@dataclass(frozen=True)
class Camera:
    """One camera and its settings.

    Attributes:
        blur: deviation of the Gaussian that its lens amounts to, in pixels of a picture with a
            side of 448; 0 for a sharp one.
        noise: deviation of the sensor's noise as a fraction of white.
        grain: how far the noise of neighbouring pixels goes together, a deviation in pixels.
        quality: of the JPEG file that it writes, 1 to 100; None for a lossless one.
    """

    blur: float = 0.0
    noise: float = 0.0
    grain: float = 0.0
    quality: int | None = None


def any_camera(rng: np.random.Generator) -> Camera:
    """A random camera, perfect as often as `_PERFECT` says."""
    if rng.random() < _PERFECT:
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
    """Pictures (S, S, 3) RGB uint8 as one random camera records them."""
    camera = any_camera(rng)
    return [take(camera, pixels, rng) for pixels in pictures]


def take(camera: Camera, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture (S, S, 3) RGB uint8 as the camera records it; the noise is new each time."""
    blur = camera.blur * len(pixels) / _REFERENCE_SIDE
    if blur > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), blur)
    if camera.noise > 0:
        noise = _noise(camera, len(pixels), rng)
        pixels = np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)
    if camera.quality is not None:
        flags = [cv2.IMWRITE_JPEG_QUALITY, camera.quality]
        # The order of the channels matters to JPEG.
        written = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)[1]
        pixels = cv2.cvtColor(cv2.imdecode(written, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return pixels


def _noise(camera: Camera, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise (size, size) in grey levels, whose deviation the grain does not change."""
    noise = rng.standard_normal((size, size), dtype=np.float32)
    if camera.grain > 0:
        noise = cv2.GaussianBlur(noise, (0, 0), camera.grain)
        noise /= noise.std()
    # Half a level makes a number rounded, not cut off, when it becomes an integer.
    return noise * np.float32(255 * camera.noise) + np.float32(0.5)
