"""Measure what a small bank of references costs, on generated datasets.

    moeclip datasets synthesize made --categories 6 --images 16
    python workshop/thinned_references.py made --image-size 224

For each category, the good training images are the references. Prints the image AUROC with all
patches and with a few patches of each reference, and the rate of false alarms on the good test
images at the threshold of the leave-one-out scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from moeclip_cli.checkpoints.loading import load_tower
from moeclip_cli.images.decode import decode
from moeclip_cli.inspection.conformal import attainable_rate, conformal_threshold
from moeclip_cli.inspection.network_input import network_input
from moeclip_cli.model.bank import PatchBank, image_score, thinned
from moeclip_cli.model.frozen_tower import FrozenTower

FALSE_ALARMS = 0.1

Tokens = list[torch.Tensor]


def tokens_of(network: FrozenTower, folder: Path) -> list[Tokens]:
    """Tokens (L, D) of each level of each image below `folder`."""
    found = []
    for path in sorted(folder.rglob("*.png")):
        pixels = decode(path).pixels
        image = network_input(pixels, network)
        found.append([level[0] for level in network.levels(image[None]).tokens])
    return found


def scores_of(bank: PatchBank, images: list[Tokens], *, own: bool = False) -> np.ndarray:
    """The score of each image; with `own`, image i is reference i and left out."""
    scores = [
        image_score(
            bank.distances([level[None] for level in image], torch.tensor([i if own else -1]))
        ).item()
        for i, image in enumerate(images)
    ]
    return np.array(scores)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder of `moeclip datasets synthesize`")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--patches", type=int, nargs="+", default=[16, 32, 64, 128])
    options = parser.parse_args()
    network = load_tower(image_size=options.image_size).network
    columns = ["all", *map(str, options.patches)]
    print("| category |", " | ".join(columns), "|\n|---|", "---|" * len(columns), sep="")
    table = []
    for category in sorted(path for path in options.data.iterdir() if path.is_dir()):
        references = tokens_of(network, category / "train" / "good")
        good = tokens_of(network, category / "test" / "good")
        bad = [
            tokens
            for folder in sorted((category / "test").iterdir())
            if folder.name != "good"
            for tokens in tokens_of(network, folder)
        ]
        labels = [0] * len(good) + [1] * len(bad)
        rate = attainable_rate(len(references), FALSE_ALARMS)
        row = []
        for count in (10**9, *options.patches):
            bank = PatchBank.of([[thinned(level, count) for level in one] for one in references])
            scores = np.concatenate([scores_of(bank, good), scores_of(bank, bad)])
            threshold = conformal_threshold(list(scores_of(bank, references, own=True)), rate)
            alarms = (scores[: len(good)] >= threshold).mean()
            row.append((roc_auc_score(labels, scores), alarms))
        table.append(row)
        print_row(category.name, row)
    print_row("mean", np.mean(table, axis=0))


def print_row(name: str, row: list[tuple[float, float]] | np.ndarray) -> None:
    cells = [f"{area:.3f} ({alarms:.0%})" for area, alarms in row]
    print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
