"""Average the weights of several built-in models, as in model soups (Wortsman et al., 2022).

    python workshop/average_mini.py first-mini second-mini --out mean-mini

The mean of models that were fine-tuned from one another is often better than each of them. It is
validated like a trained model and gets its own threshold.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch
from mini import CONTINUED
from mini.export import TrainingPosition, export
from mini.fold import fold_text_side
from mini.network import fresh_network, load_weights
from mini.validation import validate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="folders of the models")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--pairs", type=int, default=CONTINUED.validation_pairs, help="number of validation pairs"
    )
    options = parser.parse_args()
    recipe = dataclasses.replace(
        CONTINUED, start=None, start_share=0.0, steps=0, validation_pairs=options.pairs
    )
    network = fresh_network(recipe)
    fold_text_side(network)
    trained, states = {}, []
    for model in options.models:
        trained[model] = load_weights(network, Path(model))
        states.append([weight.detach().clone() for weight in network.parameters()])
    with torch.no_grad():
        for weight, *values in zip(network.parameters(), *states, strict=True):
            weight.copy_(torch.stack(values).mean(0))
    validation = validate(network, recipe)
    options.out.mkdir(parents=True, exist_ok=True)
    export(network, recipe, options.out, validation, TrainingPosition(), {"mean of": trained})
    print(f"image AUROC {validation.image_auroc:.3f}, threshold {validation.threshold:.3f}")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
