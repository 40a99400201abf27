"""What a benchmark found in one category: metrics, curves and the worst mistakes, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Protocol = Literal["paper", "deployed"]
PROTOCOLS: tuple[Protocol, ...] = ("paper", "deployed")

METRICS = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1_max": "image F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "pixel_pro": "pixel PRO",
    "pixel_f1_max": "pixel F1-max",
}
"""Names of the metrics in files, and in words; PRO up to a false-positive rate of 0.3."""

Values = Mapping[str, "float | None"]


@dataclass(frozen=True)
class Curve:
    """A curve, thinned to be drawn.

    Attributes:
        x, y: its points, in [0, 1].
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Mistake:
    """An image that ranks on the wrong side.

    Attributes:
        kind: "false alarm" for a normal image, "miss" for an anomalous one.
        path: the image, relative to its dataset's folder.
        score: its score.
        overlay: a small JPEG of its overlay, base64; empty if it could not be drawn.
    """

    kind: Literal["false alarm", "miss"]
    path: str
    score: float
    overlay: str = ""


@dataclass(frozen=True)
class Evaluation:
    """A category under one protocol.

    Attributes:
        metrics: one value in percent for each of `METRICS`; None where it is not defined.
        error_bound: proven bound on the error of pixel AUROC and AP in percent; 0 if exact.
        curves: "image ROC", "image PR", "pixel ROC" and "pixel PR", those that are defined.
        histogram: counts of the image scores in equal bins of [0, 1]; normal, then anomalous.
        mistakes: the worst of them.
    """

    metrics: dict[str, float | None]
    error_bound: float
    curves: dict[str, Curve]
    histogram: tuple[tuple[int, ...], tuple[int, ...]]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True)
class CategoryResult:
    """One model on one category.

    Attributes:
        model: what the model is called in tables.
        dataset: name of the dataset.
        title: the dataset's title in tables.
        category: the category, or the variant that is evaluated by itself.
        prompt: how the object was named to the model.
        normal, anomalous: numbers of images that were evaluated.
        masks: how many of them have a mask.
        errors: one sentence for each image that was left out, because it could not be read.
        notes: what a reader has to know about the numbers.
        evaluations: protocol -> metrics and more.
    """

    model: str
    dataset: str
    title: str
    category: str
    prompt: str
    normal: int
    anomalous: int
    masks: int
    errors: tuple[str, ...]
    notes: tuple[str, ...]
    evaluations: dict[Protocol, Evaluation]

    def to_dict(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CategoryResult:
        """What `to_dict` made, after a detour through JSON.

        Raises:
            KeyError, TypeError, ValueError: if it is anything else.
        """
        evaluations = {name: _evaluation(each) for name, each in content["evaluations"].items()}
        sequences = {name: tuple(content[name]) for name in ("errors", "notes")}
        return cls(**{**content, **sequences, "evaluations": evaluations})


def _evaluation(content: Mapping[str, Any]) -> Evaluation:
    normal, anomalous = content["histogram"]
    return Evaluation(
        metrics={name: content["metrics"][name] for name in METRICS},
        error_bound=content["error_bound"],
        curves={
            name: Curve(tuple(curve["x"]), tuple(curve["y"]))
            for name, curve in content["curves"].items()
        },
        histogram=(tuple(normal), tuple(anomalous)),
        mistakes=tuple(Mistake(**mistake) for mistake in content["mistakes"]),
    )
