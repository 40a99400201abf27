"""Scores of images from those of their windows: the highest one counts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from moeclip_cli.inspection.finite_grading import FiniteGrading
from moeclip_cli.inspection.image_like import ImageLike
from moeclip_cli.inspection.prepared import KnownImages, PreparedImage, match_reference
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scored_batch import ImageScores, ScoredBatch
from moeclip_cli.inspection.windows import (
    Window,
    WindowedImage,
    WindowReader,
    cut_window_batches,
)
from moeclip_cli.tiles.canvas import MapCanvas
from moeclip_cli.tiles.grid import Box

Passes: TypeAlias = Callable[
    [Sequence[PreparedImage], Callable[[list[PreparedImage]], list[tuple[ScoredBatch, int]]]],
    list[tuple[ScoredBatch, int]],
]
"""Such as `PlacedModel._in_passes` and `in_equal_shapes`."""


@dataclass(eq=False)
class WindowedScores:
    """The scores of an image, window by window.

    Attributes:
        image: the image.
        finite: whether all numbers of its windows are finite.
        best: the window with the highest score, and its box; its maps are left out.
    """

    image: WindowedImage
    finite: bool = True
    best: tuple[ImageScores, Box] | None = None
    _whole: ImageScores | None = None
    _map_max: float = -np.inf
    _image_score: float = -np.inf
    _zero_shot: list[float] = field(default_factory=list)
    _canvas: MapCanvas | None = None

    def add(self, window: Window, batch: ScoredBatch, i: int) -> None:
        """Add image `i` of a batch, which is the window."""
        self.finite = self.finite and batch.finite[i]
        if not self.finite:
            return
        found = batch.image(i)
        if self.best is None or found.score > self.best[0].score:
            nothing = np.empty((0, 0), np.float32)
            scalars = ImageScores(
                found.score,
                found.map_max,
                found.image_score,
                found.image_part,
                found.zero_shot,
                nothing,
                nothing,
            )
            self.best = scalars, window.box
        if self.image.whole:
            self._whole = found
            return
        self._map_max = max(self._map_max, found.map_max)
        self._image_score = max(self._image_score, found.image_score)
        if found.zero_shot is not None:
            self._zero_shot.append(found.zero_shot)
        if self._canvas is None:
            self._canvas = self._open_canvas(window.box, found)
        self._canvas.add(window.box, (found.probability, found.raw_map))

    @property
    def score(self) -> float:
        """The highest score of the windows so far."""
        if self.best is None:
            raise ValueError("an image without windows has no score")
        return self.best[0].score

    @property
    def windows(self) -> dict[str, Any]:
        """Tiles, region of interest and movement, for `ImageScores.result`."""
        place = {"roi": self.image.layout.roi, "moved": self.image.moved}
        if self.image.layout.tiling is None:
            return place
        tile = self.best and self.best[1]
        if tile is not None and self.image.moved is not None:
            tile = self.image.moved.to_image(tile, self.image.item.width, self.image.item.height)
        return place | {"tiles": len(self.image.boxes), "tile": tile}

    def scores(self) -> ImageScores:
        """The scores of the image, after those of all its windows; the maps are over the image."""
        found = self._of_view() if self._whole is None else self._whole
        moved, item = self.image.moved, self.image.item
        if moved is None:
            return found
        maps = (
            moved.map_to_image(values, item.width, item.height)
            for values in (found.probability, found.raw_map)
        )
        probability, raw_map = maps
        return replace(found, probability=probability.clip(0, 1), raw_map=raw_map)

    def _of_view(self) -> ImageScores:
        """The scores with the maps blended from those of the windows."""
        if self.best is None or self._canvas is None:
            raise ValueError("an image without windows has no scores")
        best, _ = self.best
        maps = self._canvas.blended()
        inside = self.image.inside(self.image.frame, maps.shape[1:])
        if inside is not None:
            maps *= inside
        probability, raw_map = maps
        return ImageScores(
            score=best.score,
            map_max=self._map_max,
            image_score=self._image_score,
            image_part=best.image_part,
            zero_shot=max(self._zero_shot) if self._zero_shot else None,
            probability=probability.clip(0, 1),
            raw_map=raw_map,
        )

    def _open_canvas(self, box: Box, found: ImageScores) -> MapCanvas:
        width, height = self.image.item.width, self.image.item.height
        rows, columns = found.probability.shape
        return MapCanvas(
            (width, height),
            (columns / box.width, rows / box.height),
            self.image.layout.area(width, height),
            self.image.layout.overlap,
            layers=2,
        )


@dataclass(frozen=True, eq=False)
class WindowScorer:
    """Scores images by their windows.

    Attributes:
        reader: reads the images.
        scored: gives the scores of a batch of windows.
        references: the good parts that images are compared with, if any.
        in_passes: divides a batch into passes that fit into memory.
    """

    reader: WindowReader
    scored: Callable[[list[PreparedImage]], ScoredBatch]
    references: KnownImages | None
    in_passes: Passes

    def score(
        self,
        images: Iterable[ImageLike],
        prompt: Callable[[ImageLike], str],
        *,
        batch_size: int,
        workers: int,
        ends_batch: Callable[[], bool] | None = None,
    ) -> Generator[WindowedScores, None, None]:
        """The scores of each image, in order; none of an image with an error.

        Args:
            images: as for `Inspector.score`.
            prompt: the name of the object on an image.
            batch_size: windows per forward pass.
            workers: threads that cut windows; 0 for none.
            ends_batch: see `Inspector.score`.
        """
        reading = self.reader.windows(
            images, prompt, workers=workers, ahead=2 * batch_size, owner=self._owned
        )
        current: WindowedScores | None = None
        with closing(reading) as windows:
            for batch in cut_window_batches(windows, batch_size, ends_batch):
                good = [window.item for window in batch if window.item.error is None]
                found = iter(self.in_passes(good, self._scored))
                for window in batch:
                    if current is None:
                        current = WindowedScores(window.image)
                    if window.item.error is None:
                        current.add(window, *next(found))
                    if window.last:
                        yield current
                        current = None

    def _scored(self, items: list[PreparedImage]) -> list[tuple[ScoredBatch, int]]:
        batch = self.scored(items)
        return [(batch, i) for i in range(len(items))]

    def _owned(self, image: WindowedImage) -> PreparedImage:
        if self.references is None:
            return image.item
        return match_reference(image.item, self.references, image.digest)


def graded(
    scored: Generator[WindowedScores, None, None],
    finite: FiniteGrading,
) -> Iterator[Result]:
    """The result of each image.

    Args:
        scored: images in order, from `WindowScorer.score`.
        finite: gives the results.
    """
    with closing(scored):
        for each in scored:
            item = each.image.item
            if item.error is not None:
                yield finite.grading.unread(item)
            elif not each.finite:
                yield finite.failed(item)
            else:
                yield finite.grading.result(item, each.scores(), **each.windows)
