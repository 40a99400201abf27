"""Compare variants of moeclip-small at equal, short budgets.

    python workshop/ablate_small.py --packages debian --cache tokens

Trains each variant with each seed on the same cached pairs and prints, in Markdown, image AUROC on
the pairs for choosing. Everything else is as in the recipe.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from mini_scores import format_metric
from small.network import fresh_network
from small.photographs import photographs
from small.recipe import Recipe
from small.tokens import Cache, Statistics, detail_statistics, statistics
from small.training import Trainer
from small.validation import quality
from train_small import KINDS, caches, training_pairs

VARIANTS = {
    "recipe": {},
    "with block 12": {"layers": (3, 6, 9, 12)},
    "without second tower": {"detail": False},
    "with dropout of the second tower": {"detail_dropout": 0.5},
    "without self-comparison": {"self_comparison": False},
    "without experts": {"mix": 0.0},
    "without ETF loss": {"etf_weight": 0.0},
    "with aggregation": {"aggregation": True},
    "without LeakyReLU": {"relu": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder of unpacked packages")
    parser.add_argument("--cache", type=Path, required=True, help="folder for tokens")
    parser.add_argument("--pairs", type=int, default=600, help="number of training pairs")
    parser.add_argument("--choosing", type=int, default=150, help="pairs of each kind to choose on")
    parser.add_argument("--steps", type=int, default=100, help="length of each training in batches")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    recipe = replace(
        Recipe(), pairs=options.pairs, choosing=options.choosing, steps=options.steps, average=0.98
    )
    ours, others = photographs(options.packages)
    prepared = {}
    print(f"| variant | seed | {' | '.join(KINDS)} |", "|---|---|---|---|", sep="\n")
    for seed in options.seeds:
        for name in options.variants:
            variant = replace(recipe, **VARIANTS[name])
            if variant.layers not in prepared:
                prepared[variant.layers] = caches(
                    variant, ours, others, options.cache, options.workers
                )
            training, choosing = prepared[variant.layers]
            measured = statistics(options.cache, training_pairs(variant), ours, variant.layers)
            cells = trained(replace(variant, seed=seed), measured, Cache(training), choosing)
            print(f"| {name} | {seed} | {' | '.join(cells)} |", flush=True)


def trained(
    recipe: Recipe, measured: Statistics, cache: Cache, choosing: dict[str, list[Path]]
) -> list[str]:
    """Train a variant; returns its image AUROC on each kind of pairs."""
    trainer = Trainer(recipe, fresh_network(recipe, measured, detail_statistics(cache)), cache)
    trainer.run(lambda progress: None, recipe.steps, None)
    return [
        format_metric(
            quality(trainer.result(), Cache(choosing[kind]), recipe.image_weight).image_auroc
        )
        for kind in KINDS
    ]


if __name__ == "__main__":
    main()
