"""Evaluate the built-in model on images that it has never seen, next to untrained baselines.

    pip install conformal-clip-data elpv-dataset
    python workshop/evaluate_mini.py

Prints a table of the model and one of the baselines in Markdown. The sets are described in
evaluation_sets.py; a real set whose package is not installed is skipped.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from baselines import BASELINES, Map, Scorer
from evaluation_sets import Sample, evaluation_sets
from mini_scores import Pixels, format_metric, load_model, model_parser

from moeclip_cli import Inspector
from moeclip_cli.evaluation.deployed import DeployedEvaluation


def main() -> None:
    parser = model_parser(__doc__)
    parser.add_argument("--image-size", type=int, help="network input size in pixels")
    parser.add_argument("--pairs", type=int, default=400, help="generated pairs per set")
    parser.add_argument("--limit", type=int, help="maximum number of real images per label")
    options = parser.parse_args()
    inspector = load_model(options, image_size=options.image_size)
    scorers = {"model": model_scorer(inspector), **BASELINES}
    model_rows, baseline_rows = [], []
    for name, samples in evaluation_sets(options.pairs, options.limit):
        evaluations = evaluate(samples, scorers)
        for part in sorted(evaluations):
            title = f"{name}: {part}" if part else name
            model_rows.append(model_row(title, evaluations[part], inspector.threshold.value))
            baseline_rows.append(baseline_row(title, evaluations[part]))
        print(f"{name}: done", file=sys.stderr, flush=True)
    print(
        "| set | normal + defective | image AUROC | image AP | pixel AUROC | pixel AP | PRO "
        "| false alarms | found |"
    )
    print("|---|---|---|---|---|---|---|---|---|", *model_rows, sep="\n")
    print()
    print(f"| image AUROC / pixel AUROC | {' | '.join(BASELINES)} |")
    print("|---|" + "---|" * len(BASELINES), *baseline_rows, sep="\n")


def model_scorer(inspector: Inspector) -> Scorer:
    def score(pixels: Pixels) -> tuple[float, Map]:
        result = next(inspector.score([pixels]))
        return result.score, result.anomaly_map

    return score


class ScorerEvaluation:
    """Metrics and scores of one scorer on one set."""

    def __init__(self) -> None:
        self.evaluation = DeployedEvaluation()
        self.normal: list[float] = []
        self.anomalous: list[float] = []

    def add(self, sample: Sample, score: float, anomaly_map: Map) -> None:
        self.evaluation.update(anomaly_map, score, sample.anomalous, sample.mask)
        (self.anomalous if sample.anomalous else self.normal).append(score)

    def metrics(self) -> tuple[float | None, ...]:
        """Return image AUROC and AP, and pixel AUROC, AP and PRO, which are None without masks."""
        metrics = self.evaluation.compute()
        image, pixel = metrics.image, metrics.pixel
        return image.auroc, image.average_precision, pixel.auroc, pixel.average_precision, pixel.pro


def evaluate(
    samples: Iterator[Sample], scorers: dict[str, Scorer]
) -> dict[str, dict[str, ScorerEvaluation]]:
    """Evaluate each scorer on each part of a set, and on the whole set under the name ""."""
    evaluations: dict[str, dict[str, ScorerEvaluation]] = defaultdict(
        lambda: defaultdict(ScorerEvaluation)
    )
    for sample in samples:
        for name, scorer in scorers.items():
            score, anomaly_map = scorer(sample.pixels)
            for part in {"", sample.part}:
                evaluations[part][name].add(sample, score, anomaly_map)
    return evaluations


def model_row(name: str, evaluations: dict[str, ScorerEvaluation], threshold: float) -> str:
    model = evaluations["model"]
    normal, anomalous = np.array(model.normal), np.array(model.anomalous)
    cells = [
        name,
        f"{len(normal)} + {len(anomalous)}",
        *(format_metric(value) for value in model.metrics()),
        f"{(normal >= threshold).mean():.1%}",
        f"{(anomalous >= threshold).mean():.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def baseline_row(name: str, evaluations: dict[str, ScorerEvaluation]) -> str:
    """Format image AUROC and pixel AUROC of each baseline, bold if the model is not better."""
    ours = evaluations["model"].metrics()
    cells = [name]
    for baseline in BASELINES:
        theirs = evaluations[baseline].metrics()
        pairs = [(theirs[index], ours[index]) for index in (0, 2)]
        cells.append(" / ".join(format_beaten(*pair) for pair in pairs if pair[0] is not None))
    return f"| {' | '.join(cells)} |"


def format_beaten(theirs: float, ours: float) -> str:
    return format_metric(theirs) if ours > theirs else f"**{format_metric(theirs)}**"


if __name__ == "__main__":
    main()
