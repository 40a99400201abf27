"""Train the built-in model from this repository alone.

    python workshop/train_mini.py --out my-mini

The training takes hours on a CPU. It ends after --minutes, or by default after the number of steps
in the recipe; then the same seed gives the same weights on the same machine. Ctrl-C saves the
state, and the same command with --resume continues.

    python workshop/train_mini.py --start my-mini --out better-mini

continues from the weights of an earlier model.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import torch
from mini import CONTINUED, Recipe, train_mini
from mini.loop import Progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("moeclip-mini"), help="folder to write to")
    parser.add_argument(
        "--minutes", type=float, help="end after this time instead of the recipe's steps"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the interrupted training in --out"
    )
    parser.add_argument("--start", metavar="FOLDER", help="folder of a model to start from")
    parser.add_argument("--steps", type=int, help="length of the training in batches")
    parser.add_argument("--seed", type=int, help="random seed")
    parser.add_argument("--workers", type=int, default=2, help="processes that generate images")
    parser.add_argument("--threads", type=int, help="CPU threads of the network")
    parser.add_argument(
        "--bf16",
        action="store_true",
        help="compute in bfloat16; faster on CPUs with bfloat16 units",
    )
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = Recipe() if options.start is None else CONTINUED
    changes = {
        name: value
        for name in ("start", "steps", "seed")
        if (value := getattr(options, name)) is not None
    }
    recipe = dataclasses.replace(recipe, bf16=options.bf16, **changes)
    result = train_mini(
        recipe,
        options.out,
        minutes=options.minutes,
        workers=options.workers,
        resume=options.resume,
        report=show,
    )
    print(f"image AUROC {result.image_auroc:.3f}, threshold {result.threshold:.3f}")
    print(f"wrote {options.out}")


def show(progress: Progress) -> None:
    parts = " ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
    if progress.validation is not None:
        parts = (
            f"validation: image AUROC {progress.validation.image_auroc:.3f}, "
            f"pixel AUROC {progress.validation.pixel_auroc:.3f}"
        )
    position = progress.position
    print(
        f"{progress.fraction:4.0%}  step {position.step}  {position.images} images  "
        f"{position.seconds / 60:.1f} min  {parts}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
