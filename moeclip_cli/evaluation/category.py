"""One category under one or both protocols, image by image, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.checkpoints.configuration import Domain
from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.evaluation.deployed import DeployedEvaluation
from moeclip_cli.evaluation.protocol import CategoryMetrics, PaperEvaluation
from moeclip_cli.evaluation.ranking import Ranking, rank
from moeclip_cli.evaluation.results import METRICS, Curve, Protocol
from moeclip_cli.inspection.result import Result

BINS = 40
_CURVE_POINTS = 120
_WORST = 3
# Finer than the grid of patches that a map is made of; 8 kB an image.
_KEPT_SIDE = 64


@dataclass(frozen=True)
class Wrong:
    """An image that ranks on the wrong side.

    Attributes:
        kind: "false alarm" or "miss".
        sample: the image.
        score: its score.
        probability: its deployed anomaly map, made small.
    """

    kind: Literal["false alarm", "miss"]
    sample: Sample
    score: float
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class Findings:
    """What there is to say about a category under one protocol.

    Attributes:
        metrics: of its images and pixels, in [0, 1].
        curves: see `results.Evaluation`.
        histogram: see there.
        wrong: the worst mistakes.
    """

    metrics: CategoryMetrics
    curves: dict[str, Curve]
    histogram: tuple[tuple[int, ...], tuple[int, ...]]
    wrong: tuple[Wrong, ...]


class CategoryEvaluator:
    """Collects a category's results. Memory is bounded, but for some 8 kB an image.

    Parts of a category can be collected apart (by several processes) and merged. Then every number
    is that of the whole; where `PixelEvaluation` is no longer exact, within its error bound.

    Args:
        protocols: what to evaluate by.
        domain: decides how the paper's image score is formed.
    """

    def __init__(self, protocols: Sequence[Protocol], domain: Domain) -> None:
        self._evaluations: dict[Protocol, PaperEvaluation | DeployedEvaluation] = {
            protocol: PaperEvaluation(domain) if protocol == "paper" else DeployedEvaluation()
            for protocol in protocols
        }
        self._samples: list[Sample] = []
        self._maps: list[NDArray[np.float16]] = []

    def add(self, sample: Sample, result: Result, mask: NDArray[np.uint8] | None) -> None:
        """Take in one image that could be scored.

        Args:
            sample: the image and its label.
            result: what the inspector says about it.
            mask: (S, S) not 0 where anomalous; None if nobody knows.

        Raises:
            ModelError: if the map holds a value that is not a finite number.
        """
        if result.raw_map is None or result.probability is None:
            raise ValueError("an image that was not scored cannot be evaluated")
        scores = {
            "paper": (result.raw_map, result.image_score),
            "deployed": (result.probability, result.score),
        }
        for protocol, evaluation in self._evaluations.items():
            anomaly_map, score = scores[protocol]
            evaluation.update(anomaly_map, float(score or 0.0), bool(sample.label), mask)
        size = (_KEPT_SIDE, _KEPT_SIDE)
        small = cv2.resize(result.probability, size, interpolation=cv2.INTER_AREA)
        self._maps.append(small.astype(np.float16))
        self._samples.append(sample)

    def merge(self, other: CategoryEvaluator) -> None:
        """Take in what another one has collected of the same category, by the same protocols."""
        for protocol, evaluation in self._evaluations.items():
            evaluation.merge(other._evaluations[protocol])  # type: ignore[arg-type]
        self._samples += other._samples
        self._maps += other._maps

    def findings(self) -> dict[Protocol, Findings]:
        """What there is to say about the images so far.

        Raises:
            ModelError: if an image score is not a finite number.
        """
        anomalous = np.array([sample.label == 1 for sample in self._samples], dtype=bool)
        found: dict[Protocol, Findings] = {}
        for protocol, evaluation in self._evaluations.items():
            metrics, scores = evaluation.compute(), evaluation.fused_scores()
            rankings = {"image": rank(scores, anomalous), "pixel": evaluation.pixel_ranking()}
            wrong = [self._wrong(kind, i, scores[i]) for kind, i in worst(scores, anomalous)]
            histogram = (_histogram(scores[~anomalous]), _histogram(scores[anomalous]))
            found[protocol] = Findings(metrics, _curves(rankings), histogram, tuple(wrong))
        return found

    def _wrong(self, kind: Literal["false alarm", "miss"], index: int, score: float) -> Wrong:
        probability = self._maps[index].astype(np.float32)
        return Wrong(kind, self._samples[index], float(score), probability)


def in_percent(metrics: CategoryMetrics) -> dict[str, float | None]:
    """The values of `results.METRICS`, to 6 decimals."""
    image, pixel = metrics.image, metrics.pixel
    values = (
        *(image.auroc, image.average_precision, image.f1_max),
        *(pixel.auroc, pixel.average_precision, pixel.pro, pixel.f1_max),
    )
    percent = (None if value is None else round(100 * value, 6) for value in values)
    return dict(zip(METRICS, percent, strict=True))


def worst(
    scores: NDArray[np.float64], anomalous: NDArray[np.bool_]
) -> list[tuple[Literal["false alarm", "miss"], int]]:
    """The normal images with the highest and the anomalous ones with the lowest scores.

    A normal image counts only if it scores at least as high as some anomalous one, and an anomalous
    one only if it scores no higher than some normal one. With one label only there is nothing to
    compare with, and the extremes of that label are returned.

    Args:
        scores: (n,) scores.
        anomalous: (n,) labels.

    Returns:
        Kind and index, false alarms before misses, the worst first.
    """
    order = np.argsort(scores, kind="stable")
    misses = order[anomalous[order]]
    alarms = order[~anomalous[order]][::-1]
    if misses.size and alarms.size:
        lowest, highest = scores[misses[0]], scores[alarms[0]]
        misses = misses[scores[misses] <= highest]
        alarms = alarms[scores[alarms] >= lowest]
    found: list[tuple[Literal["false alarm", "miss"], int]] = []
    found += [("false alarm", int(index)) for index in alarms[:_WORST]]
    found += [("miss", int(index)) for index in misses[:_WORST]]
    return found


def _histogram(scores: NDArray[np.float64]) -> tuple[int, ...]:
    counts, _ = np.histogram(np.clip(scores, 0, 1), bins=BINS, range=(0, 1))
    return tuple(counts.tolist())


def _curves(rankings: dict[str, Ranking]) -> dict[str, Curve]:
    curves = {}
    for level, ranking in rankings.items():
        if ranking.defined:
            curves[f"{level} ROC"] = _rounded(*ranking.roc_curve(_CURVE_POINTS))
            curves[f"{level} PR"] = _rounded(*ranking.precision_recall_curve(_CURVE_POINTS))
    return curves


def _rounded(x: NDArray[np.float64], y: NDArray[np.float64]) -> Curve:
    return Curve(tuple(np.round(x, 4).tolist()), tuple(np.round(y, 4).tolist()))
