"""Scene: the image of a family and the position of its object."""

from __future__ import annotations

from dataclasses import dataclass

from moeclip_cli.datasets.synthetic.fields import BoolArray, FloatArray


@dataclass(frozen=True)
class Scene:
    """A flawless scene.

    Attributes:
        pixels: (size, size, 3) RGB in [0, 1].
        foreground: (size, size), True on the object; all True for a texture.
    """

    pixels: FloatArray
    foreground: BoolArray
