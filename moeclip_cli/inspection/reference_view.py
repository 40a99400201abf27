"""The reference view: a picture in whose frame all images of a run are seen."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS, decode
from moeclip_cli.inspection.registration import register
from moeclip_cli.inspection.roi_shapes import require_alike
from moeclip_cli.inspection.similarity import Similarity
from moeclip_cli.tiles.framing import Where

# Registration is exact to a fraction of these pixels; more would take longer.
_LONGEST_SIDE = 512
# Grey values of images of other things hardly ever correlate so well, wherever they are laid.
LEAST_CORRELATION = 0.6
LARGEST_SHIFT = 0.25
LARGEST_ROTATION = 45.0
LARGEST_SCALE = 1.25
_KEY = "reference_view"


@dataclass(frozen=True, eq=False)
class ReferenceView:
    """The picture that images are aligned with.

    Attributes:
        name: of its file.
        size: width and height of the picture in pixels.
        grey: (h, w) uint8, the picture at no more than 512 pixels a side.
    """

    name: str
    size: tuple[int, int]
    grey: NDArray[np.uint8]

    @classmethod
    def read(
        cls,
        path: Where,
        *,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        decode_seconds: float = DEFAULT_DECODE_SECONDS,
    ) -> ReferenceView:
        """Read the picture.

        Raises:
            UsageError: if it cannot be read, or shows nothing that images can be aligned with.
        """
        try:
            pixels = decode(Path(path), max_pixels=max_pixels, decode_seconds=decode_seconds).pixels
        except ImageError as error:
            raise UsageError(
                f"The reference view {os.fspath(path)} cannot be read: {error}"
            ) from error
        height, width = pixels.shape[:2]
        view = cls(Path(path).name, (width, height), _grey(pixels))
        if register(view.grey, view.grey).correlation < LEAST_CORRELATION:
            raise UsageError(
                f"The reference view {os.fspath(path)} shows nothing that images can be aligned "
                "with; choose a picture with edges."
            )
        return view

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ReferenceView | None:
        """The view that `settings` describe; None if there is none.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: if they are damaged.
        """
        if _KEY not in settings:
            return None
        content = base64.b64decode(settings[f"{_KEY}_picture"], validate=True)
        grey = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        width, height = (int(side) for side in settings[f"{_KEY}_size"])
        if grey is None or max(grey.shape) > _LONGEST_SIDE or min(width, height) < 1:
            raise ValueError("not a reference view")
        return cls(str(settings[_KEY]), (width, height), grey)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The view in JSON types; `from_settings` reads them."""
        _, png = cv2.imencode(".png", self.grey)
        digest = hashlib.sha256(repr((self.size, self.grey.shape)).encode())
        digest.update(np.ascontiguousarray(self.grey).data)
        return {
            _KEY: self.name,
            f"{_KEY}_digest": digest.hexdigest(),
            f"{_KEY}_size": list(self.size),
            f"{_KEY}_picture": base64.b64encode(png.tobytes()).decode(),
        }

    def locate(self, pixels: NDArray[np.uint8]) -> Similarity:
        """Where the view lies in an image (H, W, 3), rounded as in tables.

        Raises:
            ImageError: if the image has another aspect ratio, does not show the view, or shows it
                too far from its place.
        """
        height, width = pixels.shape[:2]
        require_alike("reference view", self.size, width, height)
        rows, columns = self.grey.shape
        found = register(self.grey, _grey(pixels, (columns, rows)))
        moved = found.similarity.resized(width / columns)
        if found.correlation < LEAST_CORRELATION:
            raise ImageError(
                f"The image could not be aligned with {self.name}: the correlation of the two is "
                f"{max(0.0, found.correlation):.2f} at best, and must be {LEAST_CORRELATION:g}. "
                "Check that it shows the same view."
            )
        self._require_near(moved, width, height)
        return moved.rounded()

    def _require_near(self, moved: Similarity, width: int, height: int) -> None:
        far = max(abs(moved.shift_x) / width, abs(moved.shift_y) / height) > LARGEST_SHIFT
        turned = abs(moved.rotation) > LARGEST_ROTATION
        resized = not 1 / LARGEST_SCALE <= moved.scale <= LARGEST_SCALE
        if far or turned or resized:
            raise ImageError(
                f"The image is too far from {self.name}: {round(moved.shift_x)} and "
                f"{round(moved.shift_y)} pixels, {round(moved.rotation)} degrees, scale "
                f"{moved.scale:.2f}; at most a quarter of a side, {LARGEST_ROTATION:g} degrees and "
                f"a scale from {1 / LARGEST_SCALE:g} to {LARGEST_SCALE:g} are aligned."
            )


def _grey(pixels: NDArray[np.uint8], size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The luminance of an image, at a size or at no more than 512 pixels a side."""
    height, width = pixels.shape[:2]
    factor = min(1.0, _LONGEST_SIDE / max(height, width))
    size = size or (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # first: it takes less memory
    grey: NDArray[np.uint8] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return grey
