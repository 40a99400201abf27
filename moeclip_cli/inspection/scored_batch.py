"""From the scores of a batch to the result of each image."""

from __future__ import annotations

import torch

from moeclip_cli.inspection.forward import finite_images
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.regions import find_regions
from moeclip_cli.inspection.result import ANOMALOUS, NORMAL, Result
from moeclip_cli.model.scoring import Scores
from moeclip_cli.pictures.peak import find_peak


class ScoredBatch:
    """Scores of a batch, on the CPU.

    Args:
        scores: of the images.
        experts: first choices of experts (B, g, g), if they are wanted.

    Attributes:
        finite: for each image, whether all its numbers are finite.
    """

    def __init__(self, scores: Scores, experts: torch.Tensor | None = None) -> None:
        self._probability = scores.probability.cpu().numpy()
        self._raw_map = scores.raw_map.cpu().numpy()
        self._score: list[float] = scores.score.tolist()
        self._map_max: list[float] = scores.map_max.tolist()
        self._image_score: list[float] = scores.image_score.tolist()
        self._image_part: list[float] = scores.image_part.tolist()
        zero_shot = scores.zero_shot
        self._zero_shot = None if zero_shot is None else zero_shot.tolist()
        self._experts = experts
        distances = scores.distances
        self._distances = None if distances is None else distances.cpu().numpy()
        self.finite: list[bool] = finite_images(scores).tolist()

    def score(self, i: int) -> float:
        """The score of image `i`."""
        return self._score[i]

    def result(
        self,
        i: int,
        item: PreparedImage,
        *,
        model: str,
        threshold: float,
        references: int | None = None,
        percentile: float | None = None,
    ) -> Result:
        """The result of image `i`.

        Args:
            i: number of the image in the batch.
            item: the image.
            model: name of the model in tables.
            threshold: an image is anomalous at this score and above.
            references: number of images that it was compared with.
            percentile: share of the good parts with a lower score, in percent.
        """
        probability, score = self._probability[i], self._score[i]
        peak, peak_x, peak_y = find_peak(probability, item.width, item.height)
        return Result(
            item.path,
            item.prompt,
            model,
            score=score,
            verdict=ANOMALOUS if score >= threshold else NORMAL,
            threshold=threshold,
            map_max=self._map_max[i],
            image_score=self._image_score[i],
            peak=peak,
            peak_x=peak_x,
            peak_y=peak_y,
            map_part=score - self._image_part[i],
            image_part=self._image_part[i],
            zero_shot=None if self._zero_shot is None else self._zero_shot[i],
            references=references,
            percentile=percentile,
            area_fraction=float((probability >= threshold).mean()),
            regions=find_regions(probability, threshold, item.width, item.height),
            width=item.width,
            height=item.height,
            probability=probability,
            raw_map=self._raw_map[i],
            experts=None if self._experts is None else self._experts[i].numpy(),
            distances=None if self._distances is None else self._distances[i],
            notes=item.notes,
        )
