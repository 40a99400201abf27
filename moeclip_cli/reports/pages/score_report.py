"""The report of a scoring run, collected image by image in bounded memory."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.files import Closable, replacing
from moeclip_cli.images.decode import decode
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.verdicts import NORMAL
from moeclip_cli.pictures.overlay import render_overlay
from moeclip_cli.pictures.panels import shrunk
from moeclip_cli.reports.pages.histogram import ScoreHistogram
from moeclip_cli.reports.pages.score_content import (
    Entry,
    ReportContent,
    RunFacts,
    Tally,
    Thumbnail,
)
from moeclip_cli.reports.pages.score_page import score_page

_Item = TypeVar("_Item")

# The first images of the report can be enlarged to this size,
_LARGE_SIDE = 480
_LARGE = 60
# and the others to twice the size on the page. The report can then be mailed.
_SMALL_SIDE = 256
_QUALITY = 75
# Further images are thumbnails. With 5,000 images, the report stays below 20 MB.
_THUMBNAILS = 4800
_THUMBNAIL_SIDE, _THUMBNAIL_QUALITY = 64, 50


class ReportWriter(Closable):
    """Collects the results of a run and writes `report.html` when it is closed.

    All images are counted, but only the `keep` most anomalous ones, thumbnails of the next ones and
    the first `keep` errors are stored, so that memory and page stay small.

    Args:
        folder: the folder of the report.
        facts: facts about the run.
        keep: maximum number of images, and of errors, that the report's tables list.

    Attributes:
        path: the report file.
    """

    def __init__(self, folder: Path, facts: RunFacts, *, keep: int = 200) -> None:
        self.path = folder / "report.html"
        self._facts = facts
        self._keep = keep
        self._total = Tally()
        self._folders: dict[str, Tally] = {}
        self._histogram = ScoreHistogram(facts.threshold)
        self._errors: list[Row] = []
        self._ranked: list[tuple[float, int, Entry]] = []
        self._others: list[tuple[float, int, Thumbnail]] = []

    def add(
        self,
        row: Row,
        load_pixels: Callable[[], NDArray[np.uint8]] | None = None,
        probability: NDArray[np.float32] | None = None,
        picture: Path | None = None,
        thumbnail: bytes | None = None,
    ) -> None:
        """Add one image to the report.

        Args:
            row: its row in the results table.
            load_pixels: returns the picture, (H, W, 3) uint8, RGB, called only if the report lists
                the image. If it raises `ImageError`, as of a file that was deleted since it was
                scored, the image is listed without its original.
            probability: (h, w) anomaly probabilities in [0, 1], for the overlay. None for an image
                of the earlier run that is being resumed: its saved overlay is shown.
            picture: its saved overlay in the report's folder, for a link.
            thumbnail: see `thumbnail_of`; None to use the overlay.
        """
        self._total.add(row)
        self._folders.setdefault(os.path.dirname(row.path), Tally()).add(row)  # noqa: PTH120
        if row.score is None:
            if len(self._errors) < self._keep:
                self._errors.append(row)
            return
        self._histogram.add(row.score, row.verdict or NORMAL)
        # Of images with equal scores, the earlier one ranks higher.
        rank = (row.score, -self._total.images)
        full = len(self._ranked) >= self._keep
        if full and not (self._ranked and rank > self._ranked[0][:2]):
            self._add_below(*rank, row, thumbnail or _saved(picture, _THUMBNAIL_SIDE))
            return
        entry = self._entry(row, load_pixels, probability, picture, thumbnail)
        if not full:
            heapq.heappush(self._ranked, (*rank, entry))
            return
        score, order, before = heapq.heapreplace(self._ranked, (*rank, entry))
        self._add_below(score, order, before.row, before.thumbnail)

    def _add_below(self, score: float, order: int, row: Row, picture: bytes | None) -> None:
        """Add an image below the table."""
        below = (score, order, Thumbnail.of(row, picture))
        if len(self._others) < _THUMBNAILS:
            heapq.heappush(self._others, below)
        else:
            heapq.heappushpop(self._others, below)

    def close(self) -> None:
        """Write the page.

        Raises:
            UsageError: if the file cannot be written.
        """
        entries = _descending(self._ranked)
        content = ReportContent(
            total=self._total,
            folders=dict(sorted(self._folders.items())),
            histogram=self._histogram,
            entries=[*entries[:_LARGE], *map(_smaller, entries[_LARGE:])],
            others=_descending(self._others),
            errors=self._errors,
        )
        with replacing(self.path) as stream:
            for piece in score_page(self._facts, content):
                stream.write(piece.encode())

    def _entry(
        self,
        row: Row,
        load_pixels: Callable[[], NDArray[np.uint8]] | None,
        probability: NDArray[np.float32] | None,
        picture: Path | None,
        thumbnail: bytes | None,
    ) -> Entry:
        pixels = _loaded(load_pixels)
        original = None if pixels is None else _jpeg(pixels, _LARGE_SIDE, _QUALITY)
        if pixels is None or probability is None:
            overlay = _saved(picture, _LARGE_SIDE, _QUALITY)
        else:
            painted = render_overlay(
                pixels,
                probability,
                self._facts.threshold.value,
                legend=False,
                mark_peak=row.verdict != NORMAL,
            )
            overlay = _jpeg(painted, _LARGE_SIDE, _QUALITY)
        link = quote(picture.relative_to(self.path.parent).as_posix()) if picture else None
        small = thumbnail or _shrunk(original or overlay, _THUMBNAIL_SIDE, _THUMBNAIL_QUALITY)
        return Entry(row, overlay, original, link, small)


def _descending(ranked: list[tuple[float, int, _Item]]) -> list[_Item]:
    return [item for *_, item in sorted(ranked, key=lambda each: each[:2], reverse=True)]


def thumbnail_of(pixels: NDArray[np.uint8]) -> bytes:
    """The thumbnail of an image, (H, W, 3) uint8, RGB, for `ReportWriter.add`."""
    return _jpeg(pixels, _THUMBNAIL_SIDE, _THUMBNAIL_QUALITY)


def _loaded(load: Callable[[], NDArray[np.uint8]] | None) -> NDArray[np.uint8] | None:
    """The picture in the largest size that is shown; None if it cannot be read any more."""
    try:
        return None if load is None else shrunk(load(), _LARGE_SIDE)
    except ImageError:
        return None


def _saved(picture: Path | None, side: int, quality: int = _THUMBNAIL_QUALITY) -> bytes | None:
    """A saved overlay as a small JPEG; None if there is none or it cannot be read."""
    try:
        return None if picture is None else _jpeg(decode(picture).pixels, side, quality)
    except ImageError:
        return None


def _smaller(entry: Entry) -> Entry:
    """The same image with small pictures."""
    overlay, original = (
        _shrunk(picture, _SMALL_SIDE, _QUALITY) for picture in (entry.overlay, entry.original)
    )
    return replace(entry, overlay=overlay, original=original)


def _shrunk(picture: bytes | None, side: int, quality: int) -> bytes | None:
    return None if picture is None else _jpeg(decode(picture).pixels, side, quality)


def _jpeg(pixels: NDArray[np.uint8], side: int, quality: int) -> bytes:
    return encode_picture(shrunk(pixels, side), "jpeg", quality)
