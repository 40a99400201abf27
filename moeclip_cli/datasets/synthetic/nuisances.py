"""Nuisances: things that look odd and are not defects.

Uneven light, shadows, frames and labels are the most common causes of false alarms, so clean images
must contain many of them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from moeclip_cli.datasets.synthetic import harmless_objects, lighting
from moeclip_cli.datasets.synthetic.fields import FloatArray

Nuisance = Callable[[np.random.Generator, FloatArray], None]

NUISANCES: dict[str, Nuisance] = {
    "gradient": lighting.gradient,
    "vignette": lighting.vignette,
    "uneven": lighting.uneven,
    "highlight": lighting.highlight,
    "shadow": lighting.shadow,
    "border": harmless_objects.border,
    "label": harmless_objects.label,
    "seam": harmless_objects.seam,
    "strips": harmless_objects.strips,
    "fixture": harmless_objects.fixture,
    "mark": harmless_objects.mark,
    "studs": harmless_objects.studs,
    "pointer": harmless_objects.pointer,
}
"""Nuisance by name."""

_NUISANCES_OF_GLOWING_OBJECTS = ("uneven", "border")

# Objects that differ from a defect only by their regular shape must not become common.
_WEIGHTS = {"mark": 0.5, "studs": 0.5, "pointer": 0.5}


def disturb(rng: np.random.Generator, pixels: FloatArray, glowing: bool = False) -> FloatArray:
    """Add 0 to 3 nuisances and the effects of a camera, as on a shop floor.

    Args:
        rng: source of randomness.
        pixels: (n, n, 3) in [0, 1].
        glowing: True for objects that emit light and are imaged in the dark, without lamps, shadows
            or objects on them.
    """
    pixels = np.ascontiguousarray(pixels, np.float32)
    names = list(_NUISANCES_OF_GLOWING_OBJECTS if glowing else NUISANCES)
    count = min(int(rng.choice(4, p=[0.27, 0.35, 0.23, 0.15])), len(names))
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in names])
    for name in rng.choice(names, count, replace=False, p=weights / weights.sum()):
        NUISANCES[str(name)](rng, pixels)
    return _camera(rng, np.clip(pixels, 0, 1))


def _camera(rng: np.random.Generator, pixels: FloatArray) -> FloatArray:
    """Add defocus, exposure and sensor noise."""
    if rng.random() < 0.35:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.4))
    if rng.random() < 0.4:
        pixels = pixels ** np.float32(rng.uniform(0.6, 1.6))
    if rng.random() < 0.4:
        noise = rng.standard_normal(pixels.shape[:2], dtype=np.float32)
        pixels = pixels + noise[..., None] * np.float32(rng.uniform(0.002, 0.025))
    return np.clip(pixels, 0, 1).astype(np.float32)
