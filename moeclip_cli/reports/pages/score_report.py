"""The report of a scoring run, collected image by image in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.files import Closable, replacing
from moeclip_cli.images.decode import decode
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.inspection.result import ANOMALOUS, Row
from moeclip_cli.pictures.overlay import render_overlay
from moeclip_cli.pictures.panels import shrunk
from moeclip_cli.reports.pages.histogram import ScoreHistogram
from moeclip_cli.reports.pages.score_page import Entry, ReportContent, RunFacts, score_page

# Twice the size on the page, for high-density screens.
_THUMBNAIL_SIDE = 256
_THUMBNAIL_QUALITY = 80


class ReportWriter(Closable):
    """Collects the results of a run and writes `report.html` when it is closed.

    All images are counted, but only the `keep` most anomalous ones and the first `keep` errors are
    stored, so that memory and page stay small.

    Args:
        folder: the folder of the report.
        facts: facts about the run.
        keep: maximum number of images, and of errors, that the report lists.

    Attributes:
        path: the report file.
    """

    def __init__(self, folder: Path, facts: RunFacts, *, keep: int = 200) -> None:
        self.path = folder / "report.html"
        self._facts = facts
        self._keep = keep
        self._scored = self._anomalous = self._failed = 0
        self._histogram = ScoreHistogram()
        self._errors: list[Row] = []
        self._ranked: list[tuple[float, int, Entry]] = []

    def add(
        self,
        row: Row,
        load_pixels: Callable[[], NDArray[np.uint8]] | None = None,
        probability: NDArray[np.float32] | None = None,
        picture: Path | None = None,
    ) -> None:
        """Add one image to the report.

        Args:
            row: its row in the results table.
            load_pixels: returns the picture, (H, W, 3) uint8, RGB, for a thumbnail of its overlay;
                called only if the report lists the image. None for an image of the earlier run
                that is being resumed, whose thumbnail is made from its saved overlay.
            probability: (h, w) anomaly probabilities in [0, 1], for the thumbnail.
            picture: its saved overlay in the report's folder, for a link.
        """
        if row.score is None:
            self._failed += 1
            if len(self._errors) < self._keep:
                self._errors.append(row)
            return
        anomalous = row.verdict == ANOMALOUS
        self._scored += 1
        self._anomalous += anomalous
        self._histogram.add(row.score, anomalous=anomalous)
        # Of images with equal scores, the earlier one ranks higher.
        rank = (row.score, -self._scored)
        if len(self._ranked) < self._keep:
            entry = self._entry(row, load_pixels, probability, picture)
            heapq.heappush(self._ranked, (*rank, entry))
        elif self._ranked and rank > self._ranked[0][:2]:
            entry = self._entry(row, load_pixels, probability, picture)
            heapq.heapreplace(self._ranked, (*rank, entry))

    def close(self) -> None:
        """Write the page.

        Raises:
            UsageError: if the file cannot be written.
        """
        content = ReportContent(
            anomalous=self._anomalous,
            normal=self._scored - self._anomalous,
            failed=self._failed,
            histogram=self._histogram,
            entries=[entry for *_, entry in sorted(self._ranked, key=lambda each: each[:2])][::-1],
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
    ) -> Entry:
        thumbnail = None
        if load_pixels is not None and probability is not None:
            small = shrunk(load_pixels(), _THUMBNAIL_SIDE)
            overlay = render_overlay(
                small,
                probability,
                self._facts.threshold,
                legend=False,
                mark_peak=row.verdict == ANOMALOUS,
            )
            thumbnail = encode_picture(overlay, "jpeg", _THUMBNAIL_QUALITY)
        elif picture is not None:
            thumbnail = _thumbnail_of(picture)
        link = quote(picture.relative_to(self.path.parent).as_posix()) if picture else None
        return Entry(row, thumbnail, link)


def _thumbnail_of(picture: Path) -> bytes | None:
    """A thumbnail of a saved overlay; None if it cannot be read."""
    try:
        pixels = decode(picture).pixels
    except ImageError:
        return None
    return encode_picture(shrunk(pixels, _THUMBNAIL_SIDE), "jpeg", _THUMBNAIL_QUALITY)
