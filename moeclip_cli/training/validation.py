"""How good the adapters are on images that are held out, and the threshold found there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.checkpoints.configuration import Threshold
from moeclip_cli.evaluation.image_metrics import image_metrics
from moeclip_cli.evaluation.pixel_metrics import PixelEvaluation
from moeclip_cli.evaluation.protocol import mean_of_defined
from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.images.preprocess import preprocess
from moeclip_cli.inspection.scoring import score
from moeclip_cli.model.moeclip import MoECLIP
from moeclip_cli.training.examples import Example, Examples
from moeclip_cli.training.objective import TextReader


@dataclass(frozen=True)
class Validation:
    """Measurements of one state of the adapters, each the mean over categories.

    None where a metric is not defined: without normal or without anomalous images.

    Attributes:
        image_auroc: area under the ROC curve of the images' deployed scores.
        pixel_auroc: the same of the pixels of their maps.
        pixel_ap: average precision of the pixels.
        threshold: a score that at most the wanted share of the normal images reaches.
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
        """What the best epoch is chosen by: the mean of the two AUROCs, as far as defined."""
        return mean_of_defined([self.image_auroc, self.pixel_auroc]) or 0.0

    def describe_threshold(self, data: str, false_alarms: float) -> Threshold | None:
        """The threshold and how it was found, for a checkpoint's configuration."""
        if self.threshold is None:
            return None
        how = f"{false_alarms:.0%} false alarms on {self.normal} held-out normal images of {data}"
        return Threshold(self.threshold, how)


@dataclass
class Measurements:
    """What one process found on its share of the images; shares can be merged."""

    scores: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    pixels: dict[str, PixelEvaluation] = field(default_factory=dict)

    def add(self, example: Example, score: float, probability: NDArray[np.float32]) -> None:
        """Take in one image's score and map."""
        self.scores.setdefault(example.group, []).append((example.label, score))
        self.pixels.setdefault(example.group, PixelEvaluation()).update(probability, example.mask)

    def merge(self, other: Measurements) -> None:
        """Take in another process's share."""
        for group, scores in other.scores.items():
            self.scores.setdefault(group, []).extend(scores)
        for group, pixels in other.pixels.items():
            self.pixels.setdefault(group, PixelEvaluation()).merge(pixels)

    def summarise(self, false_alarms: float) -> Validation:
        """The metrics of all images so far."""
        labelled = [pair for pairs in self.scores.values() for pair in pairs]
        normal = [value for label, value in labelled if label == 0]
        images = [
            image_metrics([value for _, value in pairs], [label for label, _ in pairs])
            for pairs in self.scores.values()
        ]
        pixels = [evaluation.compute() for evaluation in self.pixels.values()]
        # A score at the threshold is an alarm already, so it lies just above what is tolerated.
        quantile = float(np.quantile(normal, 1 - false_alarms, method="higher")) if normal else 0.0
        return Validation(
            mean_of_defined(metrics.auroc for metrics in images),
            mean_of_defined(metrics.auroc for metrics in pixels),
            mean_of_defined(metrics.average_precision for metrics in pixels),
            min(1.0, float(np.nextafter(quantile, 2.0))) if normal else None,
            len(normal),
            len(labelled) - len(normal),
        )


def measure(
    network: MoECLIP,
    read: TextReader,
    examples: Examples,
    *,
    share: tuple[int, int] = (0, 1),
    workers: int = 0,
    precision: Callable[[], AbstractContextManager[object]],
) -> Measurements:
    """Score held-out images one at a time; the network is left in training mode.

    Args:
        network: what is measured.
        read: of its text tower.
        examples: the images.
        share: process number and number of processes; every process takes each n-th image.
        workers: threads that load images.
        precision: the context to run the network in.
    """
    found = Measurements()
    network.eval()
    indices = range(share[0], len(examples), share[1])
    for example in prefetch(indices, examples.load, workers=workers, ahead=2 * workers + 1):
        value, probability = score_example(network, read, example, examples, precision)
        found.add(example, value, probability)
    network.train()
    return found


@torch.no_grad()
def score_example(
    network: MoECLIP,
    read: TextReader,
    example: Example,
    examples: Examples,
    precision: Callable[[], AbstractContextManager[object]],
) -> tuple[float, NDArray[np.float32]]:
    """The deployed score of an image and its map (S, S)."""
    size = example.pixels.shape[0]
    device = network.adapters.text_layer.weight.device
    images = preprocess(example.pixels, size).unsqueeze(0).to(device)
    text = network.text_features(read([example.prompt]))
    with precision():
        compared = network(images, text)
    scores = score(compared, size, examples.domain)
    return float(scores.score[0]), scores.probability[0].float().cpu().numpy()
