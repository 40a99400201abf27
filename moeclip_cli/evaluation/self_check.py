"""Whether an installation gives the numbers that it should, on a few generated images.

What a model gave where it was made is recorded in `self_check.json`, by the digests of its files;
`benchmarks/record_self_check.py` records it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.synthetic import HELD_OUT_FAMILIES, TRAINING_DEFECTS, generate
from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.category import CategoryEvaluator, in_percent
from moeclip_cli.evaluation.results import PROTOCOLS
from moeclip_cli.inspection.inspector import Inspector

PAIRS = 20
RECORD = "self_check.json"
_SEED = 20_260_004

Metrics = dict[str, "float | None"]


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may be off.

    Attributes:
        score: of an image's score.
        metric: of a metric, in points of 100.
    """

    score: float
    metric: float


TOLERANCES = {
    torch.float32: Tolerance(0.002, 0.5),
    # Of 40 images, two that change places move an F1 by more than two points.
    torch.float16: Tolerance(0.01, 3.0),
    # 8 bits of a similarity, times 100 before the softmax, leave no more.
    torch.bfloat16: Tolerance(0.05, 3.0),
}


@dataclass(frozen=True)
class Measurement:
    """What a model gives on the generated images.

    Attributes:
        images: digest of the images' pixels.
        scores: deployed score of each image, clean and defective ones in turn.
        metrics: protocol -> metric -> percent.
    """

    images: str
    scores: tuple[float, ...]
    metrics: dict[str, Metrics]

    def to_dict(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return {"images": self.images, "scores": list(self.scores), "metrics": self.metrics}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Measurement:
        """What `to_dict` made."""
        return cls(content["images"], tuple(content["scores"]), content["metrics"])


@dataclass(frozen=True)
class Comparison:
    """A measurement beside the recorded one.

    Attributes:
        recorded, measured: the two.
        tolerance: how far they may be apart.
    """

    recorded: Measurement
    measured: Measurement
    tolerance: Tolerance

    @property
    def score_error(self) -> float:
        """Largest difference of a score."""
        pairs = zip(self.recorded.scores, self.measured.scores, strict=True)
        return max(abs(one - other) for one, other in pairs)

    @property
    def metric_error(self) -> float:
        """Largest difference of a metric, in points; a metric that is missing is all of them."""
        return max(
            _difference(value, self.measured.metrics[protocol][name])
            for protocol, values in self.recorded.metrics.items()
            for name, value in values.items()
        )

    @property
    def same_images(self) -> bool:
        """Whether the very same images were generated here."""
        return self.recorded.images == self.measured.images

    @property
    def passed(self) -> bool:
        """Whether all numbers are within the tolerance."""
        tolerance = self.tolerance
        return self.score_error <= tolerance.score and self.metric_error <= tolerance.metric


def self_check(inspector: Inspector, advance: Callable[[], None]) -> Comparison:
    """Measure a model and compare with what is recorded of it.

    Args:
        inspector: the model, at its own image size, domain and threshold.
        advance: called after each of 2 * `PAIRS` images.

    Raises:
        ModelError: if nothing is recorded of this model.
    """
    record = json.loads(files("moeclip_cli.evaluation").joinpath(RECORD).read_text("utf-8"))
    recorded = record.get(record_key(inspector))
    if recorded is None:
        raise ModelError(
            f"Nothing is recorded of {inspector.model.name} for a self-check; leave --model and "
            "--backbone-weights out, or install moeclip again if its files were changed."
        )
    measured = measure(inspector, advance)
    return Comparison(Measurement.from_dict(recorded), measured, TOLERANCES[inspector.dtype])


def measure(inspector: Inspector, advance: Callable[[], None]) -> Measurement:
    """Score the generated images.

    Args:
        inspector: the model.
        advance: called after each image.
    """
    pairs = [
        generate(_SEED, index, inspector.image_size, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
        for index in range(PAIRS)
    ]
    images = [pixels for pair in pairs for pixels in (pair.clean, pair.defective)]
    masks = [mask for pair in pairs for mask in (np.zeros_like(pair.mask), pair.mask)]
    digest = hashlib.sha256(b"".join(pixels.tobytes() for pixels in images)).hexdigest()
    evaluator = CategoryEvaluator(PROTOCOLS, inspector.domain)
    scores = []
    for index, result in enumerate(inspector.score(images, batch_size=4)):
        sample = Sample(Path(f"{index}.png"), index % 2, "generated")
        evaluator.add(sample, result, masks[index].astype(np.uint8))
        scores.append(round(float(result.score or 0.0), 6))
        advance()
    metrics: dict[str, Metrics] = {
        protocol: in_percent(found.metrics) for protocol, found in evaluator.findings().items()
    }
    return Measurement(digest, tuple(scores), metrics)


def record_key(inspector: Inspector) -> str:
    """What a model's numbers are recorded under: the digests of its files, and its image sizes."""
    model = inspector.model
    sizes = "+".join(map(str, inspector.sizes))
    return f"{model.digest}:{model.backbone_digest}:{sizes}"


def _difference(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else 100.0
    return abs(one - other)
