"""The colour scale of the anomaly probability in all pictures and reports.

A colour depends only on the value and the threshold, so that it means the same on every image:
values below half the threshold are transparent, values near the threshold are yellow, and values
far above it are red to dark red.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
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
# A blended pixel is `pixel * _KEPT + _ADDED`; one row, which OpenCV can look positions up in.
_KEPT = np.repeat(1 - _TABLE[None, :, 3:], 3, axis=-1)
_ADDED = _TABLE[None, :, :3] * _TABLE[None, :, 3:]
# Pixels that are blended at a time: what they need stays in the cache.
_BLOCK = 1 << 14


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
        levels = np.rint(self._positions(np.asarray(values, np.float32))).astype(np.intp)
        colours: NDArray[np.float32] = _TABLE[levels.clip(0, _LEVELS)]
        return colours

    def paint(self, pixels: NDArray[np.uint8], values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Blend the colours of `values` into a picture.

        Args:
            pixels: (H, W, 3) uint8, RGB.
            values: (H, W) anomaly probabilities.

        Returns:
            (H, W, 3) uint8, RGB.
        """
        picture = pixels.reshape(1, -1, 3)
        painted = np.empty(picture.shape, np.uint8)
        flat = np.asarray(values, np.float32).reshape(1, -1)
        kept, added = np.empty((2, 1, _BLOCK, 3), np.float32)
        for start in range(0, flat.size, _BLOCK):
            part = np.s_[:, start : start + _BLOCK]
            if flat[part].max() < self.lowest:
                painted[part] = picture[part]
            else:
                self._blend(picture[part], flat[part], kept, added, painted[part])
        return painted.reshape(pixels.shape)

    def css(self, value: float) -> str:
        """The colour of `value` in CSS, e.g. `rgb(252 150 25 / 62%)`."""
        red, green, blue, opacity = self.rgba(np.array(value)).tolist()
        return f"rgb({red:.0f} {green:.0f} {blue:.0f} / {opacity:.0%})"

    def _blend(
        self,
        pixels: NDArray[np.uint8],
        values: NDArray[np.float32],
        kept: NDArray[np.float32],
        added: NDArray[np.float32],
        out: NDArray[np.uint8],
    ) -> None:
        """Blend colours into a row of pixels (1, n, 3); `kept` and `added` are its memory."""
        kept, added = kept[:, : values.size], added[:, : values.size]
        positions, row = self._positions(values), np.zeros_like(values)
        # OpenCV's remapping is the fastest way to look up a table of colours.
        for table, found in ((_KEPT, kept), (_ADDED, added)):
            cv2.remap(table, positions, row, cv2.INTER_NEAREST, found, cv2.BORDER_REPLICATE)
        cv2.multiply(pixels, kept, kept, dtype=cv2.CV_32F)
        cv2.add(kept, added, out, dtype=cv2.CV_8U)

    def _positions(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where values are in the table: 0 to `_LEVELS`, beyond it for values outside [0, 1]."""
        # Each side of the threshold has half of the table, so that a threshold close to 0 or 1 has
        # as many shades as any other.
        threshold = min(max(self.threshold, 0.0), 1.0)
        below = _LEVELS / 2 / threshold if threshold > 0 else 0.0
        above = _LEVELS / 2 / (1 - threshold) if threshold < 1 else 0.0
        found: NDArray[np.float32] = np.where(
            values < threshold, values * below, _LEVELS - (1 - values) * above
        )
        return found
