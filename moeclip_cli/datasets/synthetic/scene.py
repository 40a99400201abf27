"""What a family draws: the picture and where its object is."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.datasets.synthetic.fields import BoolArray, FloatArray


@dataclass(frozen=True)
class Scene:
    """A flawless scene.

    Attributes:
        pixels: (size, size, 3) RGB in [0, 1].
        foreground: (size, size), where the object is; everywhere for a texture.
    """

    pixels: FloatArray
    foreground: BoolArray
