"""The pictures of the page: images, overlays and maps, made when they are asked for."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import Language
from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.inspection.recut import recut_result
from moeclip_cli.inspection.result import Result
from moeclip_cli.pictures.colours import UNDER_COLOURS, ColourScale
from moeclip_cli.pictures.panels import shrunk
from moeclip_cli.reports.pages.languages import WORDS
from moeclip_cli.review.cache import BoundedCache
from moeclip_cli.review.results import LiveResults, ReviewedImage
from moeclip_cli.review.whereabouts import whereabouts

Kind = Literal["original", "overlay", "map"]
Size = Literal["small", "large", "full"]

KINDS: tuple[Kind, ...] = ("original", "overlay", "map")
SIDES: dict[Size, int | None] = {"small": 144, "large": 1600, "full": None}
"""Longest side of a picture in pixels, by the name of its size."""

_QUALITY = {"small": 80, "large": 88, "full": 92}
_CACHE_BYTES = 96_000_000
# A map is drawn at this size at least, as it may have a few pixels only.
_SHORTEST_MAP = 320


class Pictures:
    """The pictures of the images of a run. Thread-safe.

    Args:
        results: the run.
        language: of the legends.
        cache_bytes: memory for pictures that may be asked for again.

    Attributes:
        cache: those pictures.
    """

    def __init__(
        self, results: LiveResults, language: Language, cache_bytes: int = _CACHE_BYTES
    ) -> None:
        self._results, self._language = results, language
        self.cache = BoundedCache(cache_bytes)

    def jpeg(self, image: ReviewedImage, kind: Kind, size: Size, threshold: float) -> bytes:
        """A picture of an image as a JPEG.

        Args:
            image: of the run.
            kind: the image as such, coloured by its map, or the map. Without a kept map, the
                overlay is the one that the run has drawn.
            size: see `SIDES`.
            threshold: of the colours and outlines, in [0, 1].

        Raises:
            ImageError: if the image or its map cannot be read, or is not kept.
            UsageError: if the run card is damaged.
        """
        key = (self._results.epoch, image.number, kind, size, threshold)
        found = self.cache.get(key)
        if found is None:
            pixels = self._shown(image, kind, size, threshold)
            found = encode_picture(pixels, "jpeg", _QUALITY[size])
            if size != "full":
                self.cache.put(key, found)
        return found

    def _shown(
        self, image: ReviewedImage, kind: Kind, size: Size, threshold: float
    ) -> NDArray[np.uint8]:
        try:
            return self._draw(image, kind, SIDES[size], threshold, legend=size != "small")
        except ImageError:
            # Where the image has gone, what the run has drawn of it is left.
            as_drawn = kind == "overlay" and threshold == self._results.threshold
            saved = self._saved_overlay(image) if as_drawn or size == "small" else None
            if saved is None:
                raise
            return _fitted(saved, SIDES[size])

    def _draw(
        self, image: ReviewedImage, kind: Kind, side: int | None, threshold: float, *, legend: bool
    ) -> NDArray[np.uint8]:
        if kind == "original":
            return _fitted(self._original(image), side)
        result = self._result(image, threshold)
        if result is None:
            if kind == "map":
                raise ImageError(
                    "The run kept no map of this image; score with --keep-maps to see it."
                )
            saved = self._saved_overlay(image)
            if saved is None:
                raise ImageError(
                    "The run has neither a map nor an overlay of this image; score with "
                    "--keep-maps or --heatmaps to see where it is anomalous."
                )
            return _fitted(saved, side)
        if kind == "map":
            return _map(result, side, threshold)
        return result.overlay(
            _fitted(self._original(image), side), legend=legend and self._legend(result)
        )

    def _legend(self, result: Result) -> str | bool:
        """The text of the legend; True for the usual one."""
        if self._language == "en":
            return True
        # The verdict is left out, as the font has no umlauts.
        words = WORDS[self._language]
        return f"{words.score}: {words.decimals(result.score or 0.0, 3)}"

    def _original(self, image: ReviewedImage) -> NDArray[np.uint8]:
        """The image as it was scored."""
        run = self._results.run
        place = whereabouts(run, image.record)
        return decode(place, max_pixels=run.settings["max_pixels"]).pixels

    def _result(self, image: ReviewedImage, threshold: float) -> Result | None:
        """The result at a threshold from the kept map; None if there is none."""
        run, record = self._results.run, image.record
        if record is None or image.row.score is None or not run.files.keep_maps:
            return None
        path = run.files.compact_map(record.name)
        try:
            kept = CompactMap.from_png(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ImageError(f"{path} is damaged; score the image again.") from error
        row, band = image.row, self._results.threshold_at(threshold)
        return recut_result(row, band, row.percentile, kept, roi=run.roi(record))

    def _saved_overlay(self, image: ReviewedImage) -> NDArray[np.uint8] | None:
        """The overlay that the run has drawn, if there is one."""
        record = image.record
        path = None if record is None else self._results.run.files.overlay(record.name)
        return None if path is None else decode(path).pixels


def _fitted(pixels: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    return pixels if side is None else shrunk(pixels, side)


def _map(result: Result, side: int | None, threshold: float) -> NDArray[np.uint8]:
    """The anomaly map alone, with the aspect ratio of the image."""
    values = result.probability
    assert values is not None  # noqa: S101
    width, height = result.width or values.shape[1], result.height or values.shape[0]
    wanted = min(side or max(values.shape), max(_SHORTEST_MAP, *values.shape))
    scale = wanted / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    grey = np.full((*resized.shape, 3), UNDER_COLOURS, np.uint8)
    return ColourScale(threshold).paint(grey, resized)
