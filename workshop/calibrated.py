"""Measure calibration: false alarms and defects found with the built-in and a calibrated threshold.

    pip install conformal-clip-data elpv-dataset
    python workshop/calibrated.py

For textile and each type of solar cell, prints the rates of the built-in threshold and those of the
threshold that `moeclip calibrate` finds on a random subset of the good images, measured on the
others. The result depends on the subset, so it is repeated with many subsets: mean, and the range
from the 5th to the 95th percentile.
"""

from __future__ import annotations

import itertools

import numpy as np
from evaluation_sets import Sample, solar, textile
from mini_scores import Scores, load_model, model_parser

from moeclip_cli import Inspector
from moeclip_cli.inspection.conformal import conformal_threshold

SEED = 3


def scores_of(inspector: Inspector, samples: list[Sample]) -> Scores:
    results = inspector.score(sample.pixels for sample in samples)
    scores = np.array([result.score for result in results])
    anomalous = np.array([sample.anomalous for sample in samples])
    return Scores(scores[~anomalous], scores[anomalous])


def main() -> None:
    parser = model_parser(__doc__)
    parser.add_argument(
        "--good", type=int, default=100, help="number of good images to calibrate on"
    )
    parser.add_argument("--false-alarms", type=float, default=0.05, help="as a fraction")
    parser.add_argument("--subsets", type=int, default=200, help="number of random subsets")
    parser.add_argument("--limit", type=int, help="maximum number of images per label")
    options = parser.parse_args()
    inspector = load_model(options)
    print("| set | threshold | false alarms | found |", "|---|---|---|---|", sep="\n")
    samples = itertools.chain(textile(options.limit), solar(options.limit))
    for name, group in itertools.groupby(samples, key=lambda sample: sample.part or "textile"):
        scores = scores_of(inspector, list(group))
        false_alarms, found = scores.rates(inspector.threshold.value)
        print(f"| {name} | built in | {false_alarms:.1%} | {found:.1%} |")
        rng = np.random.default_rng(SEED)
        outcomes = []
        for _ in range(options.subsets):
            order = rng.permutation(scores.normal)
            subset, others = order[: options.good], order[options.good :]
            threshold = conformal_threshold(list(subset), options.false_alarms)
            outcomes.append(Scores(others, scores.defective).rates(threshold))
        mean = np.mean(outcomes, 0)
        low, high = np.quantile(outcomes, (0.05, 0.95), axis=0)
        cells = [f"{mean[i]:.1%} ({low[i]:.1%} to {high[i]:.1%})" for i in range(2)]
        print(f"| {name} | of {options.good} good images | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
