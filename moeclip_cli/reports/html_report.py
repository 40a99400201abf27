"""report.html: one self-contained page about a run, small for any number of images."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.result import ANOMALOUS, Row
from moeclip_cli.reports.files import replacing
from moeclip_cli.reports.histogram import ScoreHistogram
from moeclip_cli.reports.html_page import Entry, Findings, RunFacts, page
from moeclip_cli.reports.overlay import render_overlay
from moeclip_cli.reports.panels import shrunk
from moeclip_cli.reports.pictures import encode_picture

# Twice the size at which the page shows them, for screens of high density.
_THUMBNAIL_SIDE = 256
_THUMBNAIL_QUALITY = 80


class ReportWriter:
    """Collects what a report shows, image by image, and writes `report.html` when it is closed.

    Everything is counted, but only the `keep` most anomalous images and as many errors are
    remembered, so that memory and page stay small.

    Args:
        folder: where the report goes.
        facts: what the run used.
        keep: how many images and errors the report lists at most.

    Attributes:
        path: the report's file.
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
        """Take one image into the report.

        Args:
            row: its line in the results table.
            load_pixels: gives the picture, (H, W, 3) uint8, RGB, for a thumbnail of its overlay;
                called only for an image that the report lists. An image of an earlier run that is
                resumed has none.
            probability: (S, S) anomaly probabilities in [0, 1], for the same.
            picture: its saved overlay, somewhere in the report's folder, for a link.
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
        # Of equal scores the earlier image ranks higher.
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
            UsageError: if it cannot be written.
        """
        findings = Findings(
            anomalous=self._anomalous,
            normal=self._scored - self._anomalous,
            failed=self._failed,
            histogram=self._histogram,
            entries=[entry for *_, entry in sorted(self._ranked, key=lambda each: each[:2])][::-1],
            errors=self._errors,
        )
        with replacing(self.path) as stream:
            for piece in page(self._facts, findings):
                stream.write(piece.encode())

    def __enter__(self) -> ReportWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
            overlay = render_overlay(small, probability, self._facts.threshold, legend=False)
            thumbnail = encode_picture(overlay, "jpeg", _THUMBNAIL_QUALITY)
        link = quote(picture.relative_to(self.path.parent).as_posix()) if picture else None
        return Entry(row, thumbnail, link)
