"""What the report of a scoring run shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.inspection.verdicts import ANOMALOUS, UNSURE
from moeclip_cli.reports.pages.histogram import ScoreHistogram
from moeclip_cli.reports.pages.report_text import ReportText


@dataclass(frozen=True)
class RunFacts:
    """Facts about a run for the head of its report.

    Attributes:
        model: name of the model.
        prompt: name of the object, or a short text if the run has several.
        threshold: the threshold of the verdicts and its origin.
        good_parts: number of good parts with known scores, which percentiles refer to.
        device: device of the run.
        started: start time.
        version: version of moeclip.
        text: what the user adds.
    """

    model: str
    prompt: str
    threshold: AppliedThreshold
    good_parts: int
    device: str
    started: datetime
    version: str
    text: ReportText = field(default_factory=ReportText)


@dataclass(frozen=True)
class Entry:
    """An image in the report's table.

    Attributes:
        row: its results, with a score.
        overlay: a JPEG of its overlay, if any.
        original: a JPEG of the image in the same size, if any.
        link: URL of its saved overlay, relative to the report, if any.
        thumbnail: a small JPEG of the image, if any.
    """

    row: Row
    overlay: bytes | None
    original: bytes | None
    link: str | None
    thumbnail: bytes | None


@dataclass(frozen=True)
class Thumbnail:
    """An image below the report's table.

    Attributes:
        path: of the image.
        score: its score.
        verdict: "anomalous", "unsure" or "normal".
        picture: a small JPEG of it, if any.
    """

    path: str
    score: float
    verdict: str
    picture: bytes | None

    @classmethod
    def of(cls, row: Row, picture: bytes | None) -> Thumbnail:
        """The thumbnail of an image with a score."""
        return cls(row.path, row.score or 0.0, row.verdict or "normal", picture)


@dataclass
class Tally:
    """Numbers of images.

    Attributes:
        anomalous, unsure, normal, failed: the outcomes.
    """

    anomalous: int = 0
    unsure: int = 0
    normal: int = 0
    failed: int = 0

    @property
    def images(self) -> int:
        """All images."""
        return self.scored + self.failed

    @property
    def scored(self) -> int:
        """Images that could be read."""
        return self.anomalous + self.unsure + self.normal

    @property
    def pass_rate(self) -> float:
        """Share of the images that are normal; unsure and unreadable ones have not passed."""
        return self.normal / self.images if self.images else 0.0

    def add(self, row: Row) -> None:
        """Count an image."""
        if row.score is None:
            self.failed += 1
        elif row.verdict == ANOMALOUS:
            self.anomalous += 1
        elif row.verdict == UNSURE:
            self.unsure += 1
        else:
            self.normal += 1


@dataclass(frozen=True)
class ReportContent:
    """Results of a run that its report shows.

    Attributes:
        total: numbers of all images.
        folders: numbers of the images in each folder, by its path.
        histogram: histogram of all scores.
        entries: the most anomalous images, in descending order.
        others: the next most anomalous ones, in descending order.
        errors: rows of images that could not be read; at most as many as the report lists.
    """

    total: Tally
    folders: Mapping[str, Tally]
    histogram: ScoreHistogram
    entries: Sequence[Entry]
    others: Sequence[Thumbnail]
    errors: Sequence[Row]
