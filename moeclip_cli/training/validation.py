"""Metrics of the adapters on held-out images, and the threshold from the normal ones."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.checkpoints.configuration import Threshold
from moeclip_cli.evaluation.category_metrics import mean_of_defined
from moeclip_cli.evaluation.image_metrics import image_metrics
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.conformal import (
    attainable_rate,
    conformal_threshold,
    describe_conformal,
)
from moeclip_cli.model.config import Domain
from moeclip_cli.model.scoring import score
from moeclip_cli.training.examples import Example, Examples
from moeclip_cli.training.learner import Learner


@dataclass(frozen=True)
class ValidationMetrics:
    """Metrics of one state of the adapters, each the mean over categories.

    A metric is None where it is not defined: without normal or without anomalous images.

    Attributes:
        image_auroc: area under the ROC curve of the images' deployed scores.
        pixel_auroc: the same for the pixels of their maps.
        pixel_ap: average precision of the pixels.
        threshold: conformal threshold at the desired rate of false alarms, or at the lowest rate
            that so few normal images allow; None without normal images.
        normal: number of normal images.
        anomalous: number of anomalous images.
    """

    image_auroc: float | None
    pixel_auroc: float | None
    pixel_ap: float | None
    threshold: float | None
    normal: int
    anomalous: int

    @property
    def measure(self) -> float:
        """Criterion of the best epoch: the mean of the two AUROCs, as far as defined."""
        return mean_of_defined([self.image_auroc, self.pixel_auroc]) or 0.0

    def describe_threshold(self, data: str, false_alarms: float) -> Threshold | None:
        """The threshold for a checkpoint's configuration, with the rule that gave it.

        Args:
            data: name of the validation data.
            false_alarms: the desired rate.
        """
        if self.threshold is None:
            return None
        source = f"held-out normal images of {data}"
        return Threshold(self.threshold, describe_conformal(self.normal, source, false_alarms))


@dataclass
class Measurements:
    """Scores and maps of one process's share of the images; shares can be merged."""

    scores: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    pixels: dict[str, PixelEvaluation] = field(default_factory=dict)

    def add(self, example: Example, score: float, probability: NDArray[np.float32]) -> None:
        """Add an image.

        Args:
            example: the image.
            score: its deployed score.
            probability: (S, S) its anomaly map.
        """
        self.scores.setdefault(example.group, []).append((example.label, score))
        if example.ground_truth is not None:
            pixels = self.pixels.setdefault(example.group, PixelEvaluation())
            pixels.update(probability, example.ground_truth)

    def merge(self, other: Measurements) -> None:
        """Add the share of another process."""
        for group, scores in other.scores.items():
            self.scores.setdefault(group, []).extend(scores)
        for group, pixels in other.pixels.items():
            self.pixels.setdefault(group, PixelEvaluation()).merge(pixels)

    def summarise(self, false_alarms: float) -> ValidationMetrics:
        """The metrics of all added images.

        Args:
            false_alarms: desired rate of false alarms at the threshold.
        """
        labelled = [pair for pairs in self.scores.values() for pair in pairs]
        normal = [value for label, value in labelled if label == 0]
        images = [
            image_metrics([value for _, value in pairs], [label for label, _ in pairs])
            for pairs in self.scores.values()
        ]
        pixels = [evaluation.compute() for evaluation in self.pixels.values()]
        threshold = None
        if normal:
            rate = attainable_rate(len(normal), false_alarms)
            threshold = conformal_threshold(normal, rate)
        return ValidationMetrics(
            mean_of_defined(metrics.auroc for metrics in images),
            mean_of_defined(metrics.auroc for metrics in pixels),
            mean_of_defined(metrics.average_precision for metrics in pixels),
            threshold,
            len(normal),
            len(labelled) - len(normal),
        )


def measure(learner: Learner, examples: Examples, workers: int) -> Measurements:
    """Score this process's share of held-out images, one at a time.

    The network is left in training mode.

    Args:
        learner: its network is measured.
        examples: all held-out images.
        workers: number of threads that load images.

    Raises:
        DatasetError: if an image cannot be used.
    """
    measurements = Measurements()
    learner.network.eval()
    indices = range(learner.engine.rank, len(examples), learner.engine.processes)
    loading = prefetch(indices, examples.load, workers=workers, ahead=2 * workers + 1)
    with closing(loading) as loaded:
        for example in loaded:
            measurements.add(example, *score_example(learner, example, examples.domain))
    learner.network.train()
    return measurements


@torch.no_grad()
def score_example(
    learner: Learner, example: Example, domain: Domain
) -> tuple[float, NDArray[np.float32]]:
    """The deployed score of an image and its anomaly map (S, S).

    Args:
        learner: its network scores the image, in evaluation mode.
        example: the image.
        domain: kind of image.
    """
    size = example.pixels.shape[0]
    pixels = preprocess(example.pixels, size, learner.network.preprocessing)
    images = pixels.unsqueeze(0).to(learner.engine.device)
    text = learner.network.text_features(learner.read([example.prompt]))
    with learner.engine.autocast():
        comparison = learner.network(images, text)
    scores = score(comparison, size, domain)
    return float(scores.score[0]), scores.probability[0].float().cpu().numpy()
