"""The one colour scale of the anomaly probability, for every picture and report.

A colour depends on the value and on the threshold and on nothing else, so that the same colour
means the same thing on every image: nothing is drawn below half the threshold, yellow is a value
near the threshold, and red to dark red is far above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Position (0: zero, 1: the threshold, 2: one), then red, green, blue in 0..255, then opacity.
# Lightness falls and opacity rises with the position, so the order is seen without hue too.
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
"""The grey on which a scale or a map is drawn where there is no picture below it."""

_LEVELS = 1024
_POSITIONS = np.linspace(0.0, 2.0, _LEVELS + 1)
_TABLE = np.stack(
    [np.interp(_POSITIONS, _ANCHORS[:, 0], channel) for channel in _ANCHORS.T[1:]], axis=-1
).astype(np.float32)


@dataclass(frozen=True)
class ColourScale:
    """Colours for anomaly probabilities at one threshold.

    Args:
        threshold: the threshold of the verdict; outside [0, 1] it is taken as the nearer end.
    """

    threshold: float

    @property
    def lowest(self) -> float:
        """The value below which nothing is drawn."""
        return self.threshold / 2

    def rgba(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Red, green, blue in [0, 255] and opacity in [0, 1] of each value.

        Args:
            values: anomaly probabilities of any shape; outside [0, 1] they are clipped.

        Returns:
            The shape of `values` with an axis of 4 added, float32.
        """
        colours: NDArray[np.float32] = _TABLE[self._levels(values)]
        return colours

    def paint(self, pixels: NDArray[np.uint8], values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Lay the colours of `values` over a picture.

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
        """The colour of `value` for a style sheet, e.g. `rgb(252 150 25 / 62%)`."""
        red, green, blue, opacity = self.rgba(np.array(value)).tolist()
        return f"rgb({red:.0f} {green:.0f} {blue:.0f} / {opacity:.0%})"

    def _levels(self, values: NDArray[np.floating]) -> NDArray[np.intp]:
        # Half of the table is for each side of the threshold, so that a threshold close to 0 or 1
        # has as many shades as any other.
        threshold = min(max(self.threshold, 0.0), 1.0)
        positions = np.interp(values, [0.0, threshold, 1.0], [0.0, 1.0, 2.0])
        return np.rint(positions * (_LEVELS / 2)).astype(np.intp)
