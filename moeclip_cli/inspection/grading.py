"""From scores to results: verdict, percentile, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scored_batch import ImageScores
from moeclip_cli.inspection.verdicts import Threshold
from moeclip_cli.log import LOGGER


@dataclass(frozen=True)
class Grading:
    """What scores are judged by.

    Attributes:
        model: name of the model in tables.
        threshold: gives the verdicts.
        references: number of references that images are compared with; 0 for none.
        good_scores: of good parts, which percentiles refer to.
    """

    model: str
    threshold: Threshold
    references: int
    good_scores: GoodScores

    def result(self, item: PreparedImage, scores: ImageScores, **windows: Any) -> Result:
        """The result of an image.

        Args:
            item: the image.
            scores: its scores.
            windows: see `ImageScores.result`.
        """
        compared = self.references - (item.owner >= 0) if self.references else None
        return scores.result(
            item,
            model=self.model,
            threshold=self.threshold,
            references=compared,
            percentile=self.good_scores.percentile(scores.score),
            **windows,
        )

    def unread(self, item: PreparedImage) -> Result:
        """The result of an image with an error, which is logged."""
        LOGGER.warning("%s: %s", item.path or "An image in memory", item.error)
        return Result(
            item.path, item.prompt, self.model, error=item.error, temporary=item.temporary
        )

    def failed(self, item: PreparedImage, error: str) -> Result:
        """The result of an image that was read and has no scores."""
        return Result(item.path, item.prompt, self.model, error=error)
