"""Average several built-in models into one, as in model soups (Wortsman et al., 2022).

    python examples/average_mini.py first-mini second-mini --out mean-mini

Models that were trained on from one another often do better together than each alone. The mean is
validated as a trained model is, and gets a threshold of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from moeclip_cli.training.mini import CONTINUED
from moeclip_cli.training.mini.export import Stand, export
from moeclip_cli.training.mini.network import fresh_network, load_weights
from moeclip_cli.training.mini.validation import validate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="folders of the models")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--pairs", type=int, default=CONTINUED.validation_pairs, help="to validate")
    options = parser.parse_args()
    recipe = dataclasses.replace(
        CONTINUED, start=None, kept=0.0, steps=0, validation_pairs=options.pairs
    )
    network = fresh_network(recipe)
    trained, states = {}, []
    for model in options.models:
        trained[model] = load_weights(network, Path(model))
        states.append([weight.detach().clone() for weight in network.parameters()])
    with torch.no_grad():
        for weight, *values in zip(network.parameters(), *states, strict=True):
            weight.copy_(torch.stack(values).mean(0))
    found = validate(network, recipe)
    options.out.mkdir(parents=True, exist_ok=True)
    export(network, recipe, options.out, found, Stand(), {"mean of": trained})
    print(f"image AUROC {found.image_auroc:.3f}, threshold {found.threshold:.3f}")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
