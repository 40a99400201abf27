"""Self-check of an installation: scores and metrics of generated images against recorded ones.

`self_check.json` contains the numbers of the built-in models, by the digests of their files;
`workshop/record_self_check.py` records them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.synthetic import HELD_OUT_FAMILIES, TRAINING_DEFECTS, generate
from moeclip_cli.discovery.prompts_file import DEFAULT_PROMPT
from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.category import CategoryEvaluator
from moeclip_cli.evaluation.category_metrics import in_percent
from moeclip_cli.evaluation.results import PROTOCOLS
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result
from moeclip_cli.model.config import Domain

PAIRS = 20
RECORD = "self_check.json"
SEED = 20_260_004

Metrics = dict[str, "float | None"]


@dataclass(frozen=True)
class Tolerance:
    """Maximum differences that pass the self-check.

    Attributes:
        score: difference of an image's score.
        metric: difference of a metric in percentage points.
    """

    score: float
    metric: float


TOLERANCES = {
    torch.float32: Tolerance(0.002, 0.5),
    # With 40 images, two that swap ranks change F1 by more than two percentage points.
    torch.float16: Tolerance(0.01, 3.0),
    # bfloat16 keeps 8 bits of a similarity, which is multiplied by 100 before the softmax.
    torch.bfloat16: Tolerance(0.05, 3.0),
}


@dataclass(frozen=True)
class Measurement:
    """Scores and metrics of a model on the generated images.

    Attributes:
        images: SHA-256 digest of the images' pixels.
        scores: deployed score of each image; clean and defective images alternate.
        metrics: protocol -> metric -> percent.
    """

    images: str
    scores: tuple[float, ...]
    metrics: dict[str, Metrics]

    def to_dict(self) -> dict[str, Any]:
        """All fields in JSON types."""
        return {"images": self.images, "scores": list(self.scores), "metrics": self.metrics}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Measurement:
        """Restore a measurement from `to_dict`."""
        return cls(content["images"], tuple(content["scores"]), content["metrics"])


@dataclass(frozen=True)
class SelfCheckResult:
    """The result of a self-check.

    Attributes:
        recorded: the expected measurement.
        measured: the measurement of this installation.
        tolerance: maximum differences between them.
    """

    recorded: Measurement
    measured: Measurement
    tolerance: Tolerance

    @property
    def score_error(self) -> float:
        """Largest difference between scores."""
        pairs = zip(self.recorded.scores, self.measured.scores, strict=True)
        return max(abs(one - other) for one, other in pairs)

    @property
    def metric_error(self) -> float:
        """Largest difference between metrics in percentage points; 100 if only one is defined."""
        return max(
            _difference(value, self.measured.metrics[protocol][name])
            for protocol, values in self.recorded.metrics.items()
            for name, value in values.items()
        )

    @property
    def same_images(self) -> bool:
        """True if exactly the recorded images were generated."""
        return self.recorded.images == self.measured.images

    @property
    def passed(self) -> bool:
        """True if all differences are within the tolerance."""
        tolerance = self.tolerance
        return self.score_error <= tolerance.score and self.metric_error <= tolerance.metric


def self_check(inspector: Inspector, advance: Callable[[], None]) -> SelfCheckResult:
    """Measure a model and compare the result with the recorded one.

    Args:
        inspector: the model, with its default image size, domain and threshold.
        advance: called after each of 2 * `PAIRS` images.

    Raises:
        ModelError: if there is no record of this model.
    """
    record = json.loads(files("moeclip_cli.evaluation").joinpath(RECORD).read_text("utf-8"))
    recorded = record.get(record_key(inspector))
    if recorded is None:
        raise ModelError(
            f"There is no self-check record of {inspector.model.name}. Use a built-in `model` "
            "without `backbone_weights`; if its files were modified, reinstall moeclip."
        )
    measured = measure(inspector, advance)
    return SelfCheckResult(Measurement.from_dict(recorded), measured, TOLERANCES[inspector.dtype])


class Measurable(Protocol):
    """A model, or a graph that was made of it."""

    @property
    def image_size(self) -> int:
        """Side in pixels of the generated images."""

    @property
    def domain(self) -> Domain:
        """Determines how maps are compared."""

    def score(
        self, images: Any, *, prompt: Any = DEFAULT_PROMPT, batch_size: int | None = None
    ) -> Iterator[Result]:
        """See `Inspector.score`."""


def measure(
    inspector: Measurable, advance: Callable[[], None], prompt: str = DEFAULT_PROMPT
) -> Measurement:
    """Score the generated images.

    Args:
        inspector: the model.
        advance: called after each image.
        prompt: name of the object.
    """
    pairs = [
        generate(SEED, index, inspector.image_size, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
        for index in range(PAIRS)
    ]
    images = [pixels for pair in pairs for pixels in (pair.clean, pair.defective)]
    masks = [mask for pair in pairs for mask in (np.zeros_like(pair.mask), pair.mask)]
    digest = hashlib.sha256(b"".join(pixels.tobytes() for pixels in images)).hexdigest()
    evaluator = CategoryEvaluator(PROTOCOLS, inspector.domain)
    scores = []
    for index, result in enumerate(inspector.score(images, prompt=prompt, batch_size=4)):
        sample = Sample(Path(f"{index}.png"), index % 2, "generated")
        evaluator.add(sample, result, masks[index].astype(np.uint8))
        scores.append(round(float(result.score or 0.0), 6))
        advance()
    metrics: dict[str, Metrics] = {
        protocol: in_percent(each.metrics) for protocol, each in evaluator.results().items()
    }
    return Measurement(digest, tuple(scores), metrics)


def record_key(inspector: Inspector) -> str:
    """The key of a model in the record: the digests of its files, and its image sizes."""
    model = inspector.model
    sizes = "+".join(map(str, inspector.sizes))
    return f"{model.digest}:{model.backbone_digest}:{sizes}"


def _difference(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else 100.0
    return abs(one - other)
