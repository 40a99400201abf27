"""Evaluation of one category under one or both protocols, image by image, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.evaluation.category_metrics import CategoryMetrics
from moeclip_cli.evaluation.deployed import DeployedEvaluation
from moeclip_cli.evaluation.extreme_scores import at_the_ends, most_misranked
from moeclip_cli.evaluation.localisation import extremes, image_average_precision
from moeclip_cli.evaluation.paper import PaperEvaluation
from moeclip_cli.evaluation.ranking import Ranking, rank
from moeclip_cli.evaluation.results import (
    Curve,
    LocalisationKind,
    MistakeKind,
    Protocol,
    RankedKind,
)
from moeclip_cli.inspection.result import Result
from moeclip_cli.model.config import Domain

BINS = 40
_CURVE_POINTS = 120
# Finer than the patch grid that the maps are made of; 8 kB per image.
_STORED_MAP_SIDE = 64

_Kind = TypeVar("_Kind", bound=str)


@dataclass(frozen=True)
class RankedSample(Generic[_Kind]):
    """An image that is shown for its score.

    Attributes:
        kind: see `results.Mistake` and `results.Ranked`.
        sample: the image.
        score: its score under the protocol.
        probability: (64, 64) float32, its deployed anomaly map, reduced.
    """

    kind: _Kind
    sample: Sample
    score: float
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class LocalisedSample:
    """A defective image that is shown for how well its map finds the defect.

    Attributes:
        kind: see `results.Localised`.
        sample: the image.
        average_precision: of its pixels under the protocol, in [0, 1].
        probability: (64, 64) float32, its deployed anomaly map, reduced.
    """

    kind: LocalisationKind
    sample: Sample
    average_precision: float
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class ProtocolResult:
    """The evaluation of one category under one protocol.

    Attributes:
        metrics: metrics of the images and pixels, in [0, 1].
        curves: see `results.Evaluation`.
        histogram: see `results.Evaluation`.
        misranked: the most misranked images.
        ranked: other images with the highest and lowest scores.
        localised: the worst localised defective images, and the best one.
    """

    metrics: CategoryMetrics
    curves: dict[str, Curve]
    histogram: tuple[tuple[int, ...], tuple[int, ...]]
    misranked: tuple[RankedSample[MistakeKind], ...]
    ranked: tuple[RankedSample[RankedKind], ...]
    localised: tuple[LocalisedSample, ...]


class CategoryEvaluator:
    """Collects the results of a category. Memory is bounded except for about 8 kB per image.

    Several processes can collect parts of a category, which are then merged. Every number is that
    of the whole category; where `PixelEvaluation` is not exact, it is within its error bound.

    Args:
        protocols: the protocols to evaluate under.
        domain: selects how the paper's image score is formed.
    """

    def __init__(self, protocols: Sequence[Protocol], domain: Domain) -> None:
        self._evaluations: dict[Protocol, PaperEvaluation | DeployedEvaluation] = {
            protocol: PaperEvaluation(domain) if protocol == "paper" else DeployedEvaluation()
            for protocol in protocols
        }
        self._samples: list[Sample] = []
        self._maps: list[NDArray[np.float16]] = []
        self._precisions: dict[Protocol, list[float | None]] = {each: [] for each in protocols}

    def add(self, sample: Sample, result: Result, mask: NDArray[np.uint8] | None) -> None:
        """Add an image that was scored.

        Args:
            sample: the image and its label.
            result: the inspector's result for the image.
            mask: (H, W) non-zero where anomalous; None if unknown.

        Raises:
            ModelError: if the map contains a value that is not finite.
            ValueError: if the image was not scored.
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
            self._precisions[protocol].append(
                None if mask is None else image_average_precision(anomaly_map, mask)
            )
        size = (_STORED_MAP_SIDE, _STORED_MAP_SIDE)
        small = cv2.resize(result.probability, size, interpolation=cv2.INTER_AREA)
        self._maps.append(small.astype(np.float16))
        self._samples.append(sample)

    def merge(self, other: CategoryEvaluator) -> None:
        """Add the images of another evaluator of the same category and protocols."""
        for protocol, evaluation in self._evaluations.items():
            evaluation.merge(other._evaluations[protocol])  # type: ignore[arg-type]
            self._precisions[protocol] += other._precisions[protocol]
        self._samples += other._samples
        self._maps += other._maps

    def results(self) -> dict[Protocol, ProtocolResult]:
        """The evaluation of the images added so far, by protocol.

        Raises:
            ModelError: if an image score is not finite.
        """
        anomalous = np.array([sample.label == 1 for sample in self._samples], dtype=bool)
        results: dict[Protocol, ProtocolResult] = {}
        for protocol, evaluation in self._evaluations.items():
            metrics, scores = evaluation.compute(), evaluation.fused_scores()
            rankings = {"image": rank(scores, anomalous), "pixel": evaluation.pixel_ranking()}
            misranked = most_misranked(scores, anomalous)
            results[protocol] = ProtocolResult(
                metrics,
                _curves(rankings),
                (_histogram(scores[~anomalous]), _histogram(scores[anomalous])),
                self._by_score(misranked, scores),
                self._by_score(at_the_ends(scores, anomalous, misranked), scores),
                self._localised(protocol),
            )
        return results

    def _by_score(
        self, listed: Sequence[tuple[_Kind, int]], scores: NDArray[np.float64]
    ) -> tuple[RankedSample[_Kind], ...]:
        return tuple(
            RankedSample(kind, self._samples[index], float(scores[index]), self._probability(index))
            for kind, index in listed
        )

    def _localised(self, protocol: Protocol) -> tuple[LocalisedSample, ...]:
        precisions = self._precisions[protocol]
        return tuple(
            LocalisedSample(
                kind, self._samples[index], precisions[index] or 0.0, self._probability(index)
            )
            for kind, index in extremes(precisions)
        )

    def _probability(self, index: int) -> NDArray[np.float32]:
        return self._maps[index].astype(np.float32)


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
