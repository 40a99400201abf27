"""Ablate the built-in model: experts, FOFS with the ETF loss, and aggregation.

    python workshop/ablate_mini.py

Trains each variant from random weights on the same batches of small images and prints its
validation metrics in Markdown. All other settings are those of the recipe.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from mini import Phase, Recipe, train_mini

VARIANTS = {
    "all": {},
    "without experts": {"experts": False, "etf_weight": 0.0},
    "without ETF and FOFS": {"fofs": False, "etf_weight": 0.0},
    "without aggregation": {"aggregation": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400, help="length of each training in batches")
    parser.add_argument("--side", type=int, default=128, help="side of the images in pixels")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[Recipe.seed], help="one training per seed"
    )
    parser.add_argument("--threads", type=int, help="CPU threads of the network")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16")
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
                result = train_mini(replace(recipe, seed=seed, **changes), Path(folder))
            print(
                f"| {name} | {seed} | {result.image_auroc:.3f} | {result.pixel_auroc:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
