"""The result of one category as it is reported and stored as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Protocol = Literal["paper", "deployed"]
"""The scores that an evaluation uses.

"paper": raw image scores and anomaly maps, normalised over the whole test set of the category, as
in the paper. "deployed": the score and the anomaly map that a user gets for each image, in [0, 1]
and independent of the other images.
"""
PROTOCOLS: tuple[Protocol, ...] = ("paper", "deployed")
ProtocolChoice = Literal[Protocol, "both"]

Shots = int | Literal["all", "test"]
"""Number of references; also "all" good images of the training split, or the other "test" images,
for a comparison with these."""

MistakeKind = Literal["false alarm", "miss"]
RankedKind = Literal["highest normal", "lowest anomalous", "highest anomalous", "lowest normal"]
LocalisationKind = Literal["worst localised", "best localised"]

METRICS = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1_max": "image F1-max",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "pixel_pro": "pixel PRO",
    "pixel_f1_max": "pixel F1-max",
}
"""Metric names in files -> titles in tables. PRO is up to a false-positive rate of 0.3."""

Values = Mapping[str, "float | None"]


@dataclass(frozen=True)
class Curve:
    """A curve, thinned for drawing.

    Attributes:
        x, y: coordinates of its points, in [0, 1].
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Mistake:
    """A misranked image, as reports show it.

    Attributes:
        kind: "false alarm" for a normal image that scores at least as high as an anomalous one;
            "miss" for an anomalous image that scores no higher than a normal one.
        path: the image, relative to the dataset's folder.
        score: its score under the protocol.
        overlay: a small JPEG of its overlay, base64; empty if it could not be drawn.
    """

    kind: MistakeKind
    path: str
    score: float
    overlay: str = ""


@dataclass(frozen=True)
class Ranked:
    """An image whose score is at an end of those of its label, but no listed mistake.

    Attributes:
        kind: which end, of the normal or of the anomalous images of the category.
        path: the image, relative to the dataset's folder.
        score: its score under the protocol.
        overlay: a small JPEG of its overlay, base64; empty if it could not be drawn.
    """

    kind: RankedKind
    path: str
    score: float
    overlay: str = ""


@dataclass(frozen=True)
class Localised:
    """A defective image with a mask, chosen by how well its map finds the defect.

    Attributes:
        kind: "worst localised" or "best localised" among the images of the category.
        path: the image, relative to the dataset's folder.
        pixel_ap: average precision of its pixels under the protocol, in percent.
        overlay: a small JPEG of its overlay, base64; empty if it could not be drawn.
    """

    kind: LocalisationKind
    path: str
    pixel_ap: float
    overlay: str = ""


@dataclass(frozen=True)
class Evaluation:
    """A category under one protocol.

    Attributes:
        metrics: a value in percent for each of `METRICS`; None where it is not defined.
        error_bound: proven bound on the error of pixel AUROC and AP in percent; 0 if exact.
        curves: "image ROC", "image PR", "pixel ROC" and "pixel PR", if they are defined.
        histogram: counts of the image scores in equal bins of [0, 1]; normal, then anomalous.
        mistakes: the most misranked images.
        draws: the metrics of each draw of references, of which `metrics` are the means; empty
            without draws. The rest is then that of the first draw, and the error bound the largest.
        localised: the worst localised defective images, and the best one; empty without masks, and
            in results that an earlier version kept.
        ranked: the images with the highest and lowest scores of each label that are not among the
            mistakes; empty if there is one label only, and in results that an earlier version kept.
    """

    metrics: dict[str, float | None]
    error_bound: float
    curves: dict[str, Curve]
    histogram: tuple[tuple[int, ...], tuple[int, ...]]
    mistakes: tuple[Mistake, ...]
    draws: tuple[dict[str, float | None], ...] = ()
    localised: tuple[Localised, ...] = ()
    ranked: tuple[Ranked, ...] = ()


@dataclass(frozen=True)
class CategoryResult:
    """The result of one model on one category.

    Attributes:
        model: name of the model in tables.
        dataset: name of the dataset.
        title: title of the dataset in tables.
        category: the category, or the variant that is evaluated separately.
        prompt: name of the object that the model was given.
        normal, anomalous: numbers of evaluated images.
        masks: number of evaluated images that have a mask.
        errors: one sentence for each image that was skipped because it could not be read.
        notes: caveats about the numbers.
        evaluations: protocol -> evaluation.
        shots: number of references in a few-shot evaluation; "test" if the images were compared
            with each other.
        references: for each draw, its references, relative to the dataset's folder.
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
    shots: Shots | None = None
    references: tuple[tuple[str, ...], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All fields in JSON types; those of comparisons only where there are any."""
        content = asdict(self)
        if self.shots is None:
            del content["shots"], content["references"]
            for evaluation in content["evaluations"].values():
                del evaluation["draws"]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CategoryResult:
        """Restore a result from `to_dict`, also after a round trip through JSON.

        Raises:
            KeyError, TypeError, ValueError: if `content` is not such a result.
        """
        evaluations = {name: _evaluation(each) for name, each in content["evaluations"].items()}
        sequences = {name: tuple(content[name]) for name in ("errors", "notes")}
        references = tuple(tuple(names) for names in content.get("references", ()))
        restored = {"evaluations": evaluations, "references": references, **sequences}
        return cls(**{**content, **restored})


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
        draws=tuple({name: draw[name] for name in METRICS} for draw in content.get("draws", ())),
        localised=tuple(Localised(**each) for each in content.get("localised", ())),
        ranked=tuple(Ranked(**each) for each in content.get("ranked", ())),
    )
