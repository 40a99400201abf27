"""Train moeclip-small: MoECLIP's adapters beside the frozen, built-in DINOv2.

    python workshop/train_small.py --packages debian --cache tokens --out my-small

`small/photographs.py` says which packages to unpack. The towers see each picture once: its tokens
are kept in --cache (6.5 MB a pair), which takes most of the time, and read into memory. Ctrl-C
saves the state, and the same command continues. On the same machine, the same seed gives the same
weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from small.detail import MINI
from small.network import finished, fresh_network
from small.photographs import Photographs, photographs
from small.recipe import Recipe
from small.threshold import measured_threshold
from small.tokens import Cache, Pairs, detail_statistics, statistics, write_cache
from small.training import Progress, Trainer
from small.validation import Quality, quality

from moeclip_cli.checkpoints.builtin import BUILTIN_BACKBONES, DEFAULT_TOWER, builtin_file
from moeclip_cli.checkpoints.checkpoint import write_checkpoint
from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig
from moeclip_cli.checkpoints.formats import file_digest

CHOOSING_SEED = 20_260_001
# The pairs for choosing that are photographs follow after so many generated ones.
_PHOTOGRAPHS_FROM = 100_000
KINDS = ("generated", "photographs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder of unpacked packages")
    parser.add_argument("--cache", type=Path, required=True, help="folder for tokens")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    parser.add_argument("--pairs", type=int, help="number of training pairs")
    parser.add_argument("--steps", type=int, help="length of the training in batches")
    parser.add_argument("--seed", type=int, help="random seed")
    parser.add_argument("--choosing", type=int, help="pairs of each kind to choose on")
    parser.add_argument("--every", type=int, default=100, help="steps between reports")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    recipe = changed(Recipe(), options)
    options.out.mkdir(parents=True, exist_ok=True)
    ours, others = photographs(options.packages)
    training, choosing = caches(recipe, ours, others, options.cache, options.workers)
    cache = Cache(training, in_memory=True)
    measured = statistics(options.cache, training_pairs(recipe), ours, recipe.layers)
    trainer = Trainer(recipe, fresh_network(recipe, measured, detail_statistics(cache)), cache)
    state = options.out / "state.pt"
    if state.exists():
        trainer.restore(state)
    trainer.run(show, options.every, state)
    found = {
        kind: quality(trainer.result(), Cache(shards), recipe.image_weight)
        for kind, shards in choosing.items()
    }
    write_model(trainer, found, others, options.out)
    print(f"wrote {options.out / 'moeclip-small.safetensors'}")


def changed(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with the options that were given."""
    names = {entry.name for entry in dataclasses.fields(Recipe)}
    given = {n: v for n, v in vars(options).items() if n in names and v is not None}
    return dataclasses.replace(recipe, **given)


def caches(
    recipe: Recipe, ours: Photographs, others: Photographs, folder: Path, workers: int
) -> tuple[list[Path], dict[str, list[Path]]]:
    """Compute what is missing of the tokens.

    Args:
        recipe: of the training.
        ours: photographs for training.
        others: photographs for choosing.
        folder: of the tokens.
        workers: number of processes.

    Returns:
        The shards for training, and those for choosing by kind.
    """
    training = write_cache(folder, training_pairs(recipe), ours, recipe.layers, workers)
    choosing = {
        kind: write_cache(
            folder,
            Pairs(CHOOSING_SEED, first, recipe.choosing, recipe.size, share),
            others,
            recipe.layers,
            workers,
        )
        for kind, first, share in zip(KINDS, (0, _PHOTOGRAPHS_FROM), (0.0, 1.0), strict=True)
    }
    return training, choosing


def training_pairs(recipe: Recipe) -> Pairs:
    """The pairs of the training."""
    return Pairs(recipe.seed, 0, recipe.pairs, recipe.size, recipe.photographs)


def write_model(
    trainer: Trainer, found: dict[str, Quality], others: Photographs, folder: Path
) -> None:
    """Write the checkpoint with its threshold and the record of its training."""
    recipe = trainer.recipe
    network = finished(trainer.result())
    # As it will be read again: the threshold is that of the weights in half precision.
    for tensor in network.adapters.state_dict().values():
        tensor.copy_(tensor.half())
    tower, second = (builtin_file(BUILTIN_BACKBONES[name]) for name in (DEFAULT_TOWER, MINI))
    config = CheckpointConfig(
        network=network.config,
        backbone=BackboneRef(DEFAULT_TOWER, digest=file_digest(tower)),
        domain="industrial",
        threshold=measured_threshold(network, recipe, CHOOSING_SEED, others),
        image_weight=recipe.image_weight,
        prompt="object",
        detail=BackboneRef(MINI, digest=file_digest(second)) if recipe.detail else None,
        training={
            "data": "generated pictures (moeclip_cli.datasets.synthetic), and defects planted into "
            "photographs of Debian's packages",
            "recipe": asdict(recipe),
            "steps": trainer.step,
            "images": 2 * trainer.seen,
            "minutes": round(trainer.seconds / 60, 1),
            "hardware": f"{torch.get_num_threads()} CPU threads, {platform.machine()}",
            "torch": torch.__version__,
            "validation": {kind: asdict(measured) for kind, measured in found.items()},
        },
    )
    write_checkpoint(
        folder / "moeclip-small.safetensors",
        config,
        {name: tensor.half() for name, tensor in network.adapters.state_dict().items()},
    )


def show(progress: Progress) -> None:
    parts = " ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
    print(f"step {progress.step}  {progress.seconds / 60:.1f} min  {parts}", file=sys.stderr)


if __name__ == "__main__":
    main()
