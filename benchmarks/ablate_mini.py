"""What experts, FOFS with the ETF loss, and aggregation bring the built-in model.

    python benchmarks/ablate_mini.py

trains each variant from nothing on the same batches of small images, and prints its validation in
Markdown. Everything else is the recipe's.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from moeclip_cli.training.mini import Phase, Recipe, train_mini

VARIANTS = {
    "all": {},
    "without experts": {"experts": False, "etf_weight": 0.0},
    "without ETF and FOFS": {"fofs": False, "etf_weight": 0.0},
    "without aggregation": {"aggregation": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--seeds", type=int, nargs="+", default=[Recipe.seed])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = Recipe(
        image_size=options.side,
        phases=(Phase(1.0, (options.side,), 24),),
        steps=options.steps,
        warmup=100,
        average=0.98,
        bf16=options.bf16,
    )
    print("| variant | seed | image AUROC | pixel AUROC |")
    print("|---|---|---|---|")
    for seed in options.seeds:
        for name, changes in VARIANTS.items():
            with tempfile.TemporaryDirectory() as folder:
                found = train_mini(replace(recipe, seed=seed, **changes), Path(folder))
            print(
                f"| {name} | {seed} | {found.image_auroc:.3f} | {found.pixel_auroc:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
