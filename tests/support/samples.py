"""Pictures for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def save_image(path: Path, *, seed: int = 0, width: int = 64, height: int = 48) -> None:
    """A smooth random picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)


def colour_picture(height: int = 40, width: int = 60, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth colour picture (height, width, 3) without any symmetry."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def mean_difference(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean absolute difference of two pictures."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean())
