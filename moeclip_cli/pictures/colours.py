"""The colour scale of the anomaly probability in all pictures and reports.

A colour depends only on the value and the threshold, so that it means the same on every image:
values below half the threshold are transparent, values near the threshold are yellow, and values
far above it are red to dark red.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Position (0: zero, 1: the threshold, 2: one), then red, green, blue in 0..255, then opacity.
# Lightness falls and opacity rises with the position, so that the order is visible without hue.
_ANCHORS = np.array(
    [
        (0.0, 255, 245, 160, 0.00),
        (0.5, 255, 245, 160, 0.00),
        (1.0, 255, 221, 40, 0.42),
        (1.3, 252, 150, 25, 0.55),
        (1.6, 226, 48, 28, 0.62),
        (2.0, 140, 0, 38, 0.68),
    ]
)
UNDER_COLOURS = 150
"""The grey level below a colour scale or a map that is drawn without a picture."""

_LEVELS = 1024
_POSITIONS = np.linspace(0.0, 2.0, _LEVELS + 1)
_TABLE = np.stack(
    [np.interp(_POSITIONS, _ANCHORS[:, 0], channel) for channel in _ANCHORS.T[1:]], axis=-1
).astype(np.float32)


@dataclass(frozen=True)
class ColourScale:
    """Colours for anomaly probabilities at one threshold.

    Args:
        threshold: the threshold of the verdict; clipped to [0, 1].
    """

    threshold: float

    @property
    def lowest(self) -> float:
        """The value below which colours are transparent."""
        return self.threshold / 2

    def rgba(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Red, green, blue in [0, 255] and opacity in [0, 1] of each value.

        Args:
            values: anomaly probabilities of any shape; clipped to [0, 1].

        Returns:
            (..., 4) float32, where ... is the shape of `values`.
        """
        colours: NDArray[np.float32] = _TABLE[self._levels(values)]
        return colours

    def paint(self, pixels: NDArray[np.uint8], values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Blend the colours of `values` into a picture.

        Args:
            pixels: (H, W, 3) uint8, RGB.
            values: (H, W) anomaly probabilities.

        Returns:
            (H, W, 3) uint8, RGB.
        """
        if values.max(initial=0.0) < self.lowest:
            return pixels.copy()
        colours = self.rgba(values)
        opacity = colours[..., 3:]
        painted = pixels + opacity * (colours[..., :3] - pixels)
        return np.rint(painted).astype(np.uint8)

    def css(self, value: float) -> str:
        """The colour of `value` in CSS, e.g. `rgb(252 150 25 / 62%)`."""
        red, green, blue, opacity = self.rgba(np.array(value)).tolist()
        return f"rgb({red:.0f} {green:.0f} {blue:.0f} / {opacity:.0%})"

    def _levels(self, values: NDArray[np.floating]) -> NDArray[np.intp]:
        # Each side of the threshold has half of the table, so that a threshold close to 0 or 1 has
        # as many shades as any other.
        threshold = min(max(self.threshold, 0.0), 1.0)
        positions = np.interp(values, [0.0, threshold, 1.0], [0.0, 1.0, 2.0])
        return np.rint(positions * (_LEVELS / 2)).astype(np.intp)
