"""What a threshold of one's own changes: false alarms and finds before and after calibration.

    pip install conformal-clip-data elpv-dataset
    python benchmarks/calibrated.py

For textile and each kind of solar cell: the built-in threshold, then the one that
`moeclip calibrate` would find on some of the good images, measured on the other ones. It matters
which images are taken, so that is done with many random choices: mean, and the range of nine in
ten of them.
"""

from __future__ import annotations

import itertools

import numpy as np
from evaluate_mini import Sample, solar, textile
from mini_scores import Scores, load_model, model_parser

from moeclip_cli import Inspector
from moeclip_cli.inspection.calibration import conformal_threshold

SEED = 3


def scores_of(inspector: Inspector, samples: list[Sample]) -> Scores:
    results = inspector.score(sample.pixels for sample in samples)
    scores = np.array([result.score for result in results])
    anomalous = np.array([sample.anomalous for sample in samples])
    return Scores(scores[~anomalous], scores[anomalous])


def main() -> None:
    parser = model_parser(__doc__)
    parser.add_argument("--good", type=int, default=100, help="images to calibrate on")
    parser.add_argument("--false-alarms", type=float, default=0.05)
    parser.add_argument("--choices", type=int, default=200, help="random choices of those")
    parser.add_argument("--limit", type=int, help="images of each label at most")
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
        for _ in range(options.choices):
            order = rng.permutation(scores.normal)
            chosen, rest = order[: options.good], order[options.good :]
            threshold = conformal_threshold(list(chosen), options.false_alarms)
            outcomes.append(Scores(rest, scores.defective).rates(threshold))
        mean = np.mean(outcomes, 0)
        low, high = np.quantile(outcomes, (0.05, 0.95), axis=0)
        cells = [f"{mean[i]:.1%} ({low[i]:.1%} to {high[i]:.1%})" for i in range(2)]
        print(f"| {name} | of {options.good} good images | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
