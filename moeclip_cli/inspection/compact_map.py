"""Anomaly maps with 8 bits a pixel: what a run keeps so that another threshold needs no model.

A level is the number of marks that a value reaches. The marks are the multiples of 0.005 in [0, 1]
and one more, the threshold of the run. Comparing a map with a mark is therefore exact.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

_STEPS = 200
_MULTIPLES = (np.arange(_STEPS + 1) / _STEPS).astype(np.float32)
_KEY = "threshold"
# Smaller files take ten times as long to write.
_COMPRESSION = 6
# Pixels of a palette are not filtered: twice as fast to read, for an eighth more bytes.
_GREYS = bytes(np.repeat(np.arange(256, dtype=np.uint8), 3))


@dataclass(frozen=True, eq=False)
class CompactMap:
    """An anomaly map with 8 bits a pixel.

    Attributes:
        levels: (H, W) uint8; level 0 is a value from 0 to below the next mark.
        threshold: the mark that need not be a multiple of 0.005.
    """

    levels: NDArray[np.uint8]
    threshold: float

    @classmethod
    def of(cls, probability: NDArray[np.float32], threshold: float) -> CompactMap:
        """The levels of a map.

        Args:
            probability: (H, W) anomaly map in [0, 1].
            threshold: of the run, in [0, 1].
        """
        levels = np.floor(probability * _STEPS).clip(0, _STEPS).astype(np.uint8)
        # The product may be rounded across a multiple.
        levels += (levels < _STEPS) & (probability >= _MULTIPLES[np.minimum(levels + 1, _STEPS)])
        levels -= probability < _MULTIPLES[levels]
        levels += probability >= np.float32(threshold)
        return cls(levels, threshold)

    def nearest_mark(self, threshold: float) -> float:
        """The threshold that `reaches` uses: the mark next to this one."""
        multiple = round(threshold * _STEPS) / _STEPS
        own = abs(threshold - self.threshold) <= abs(threshold - multiple)
        return self.threshold if own else multiple

    def reaches(self, threshold: float) -> NDArray[np.bool_]:
        """Where the map is at or above the mark next to `threshold`, (H, W)."""
        mark = np.float32(self.nearest_mark(threshold))
        last = int(np.searchsorted(self._marks(), mark, side="right")) - 1
        # Of two equal marks, no level lies between.
        return self.levels >= last

    def values(self, peak: float) -> NDArray[np.float32]:
        """The map, (H, W) in [0, 1]: the middle of the range of each level.

        Args:
            peak: the largest value, which is exact.
        """
        marks = self._marks()
        middles = np.zeros(256, np.float32)
        middles[: len(marks)] = (marks + np.append(marks[1:], marks[-1])) / 2
        middles[self.levels.max()] = peak
        return cv2.LUT(self.levels, middles)  # ten times as fast as indexing

    def to_png(self) -> bytes:
        """A PNG file with a palette of greys, which `from_png` reads."""
        info = PngInfo()
        info.add_text(_KEY, repr(float(self.threshold)))
        stream = io.BytesIO()
        picture = Image.fromarray(self.levels)
        picture.putpalette(_GREYS)
        picture.save(stream, "PNG", pnginfo=info, compress_level=_COMPRESSION)
        return stream.getvalue()

    @classmethod
    def from_png(cls, content: bytes) -> CompactMap:
        """Read the file that `to_png` wrote.

        Raises:
            ValueError: if it is anything else.
        """
        try:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
                levels, threshold = np.asarray(picture), float(picture.info[_KEY])
        except (OSError, SyntaxError, KeyError, Image.DecompressionBombError) as error:
            raise ValueError(f"not a compact map: {error}") from error
        in_range = levels.dtype == np.uint8 and levels.ndim == 2 and levels.max() <= _STEPS + 1
        if not in_range or not 0 <= threshold <= 1:
            raise ValueError("not a compact map")
        return cls(levels, threshold)

    def _marks(self) -> NDArray[np.float32]:
        """All marks, ascending; a level is the number of one."""
        return np.sort(np.append(_MULTIPLES, np.float32(self.threshold)))
