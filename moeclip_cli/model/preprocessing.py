"""Resizing and normalisation of images for a backbone, as data that comes with its weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

Interpolation = Literal["bicubic", "bilinear"]


@dataclass(frozen=True)
class Preprocessing:
    """Resizing and normalisation that a backbone was trained with.

    Attributes:
        mean: of the red, green and blue channels, for values in [0, 1].
        std: standard deviation of the same channels.
        interpolation: antialiased filter that resizes the 8-bit image.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Interpolation = "bicubic"

    @property
    def digest(self) -> str:
        """SHA-256 of these values, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
