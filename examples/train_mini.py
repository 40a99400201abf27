"""Make the built-in model from nothing but this repository.

    python examples/train_mini.py --out my-mini

trains for hours on a CPU; --minutes decides how many. Without --minutes the number of steps in the
recipe decides, and the same seed gives the same weights on the same machine. Ctrl-C saves; the same
command with --resume goes on.

    python examples/train_mini.py --start my-mini --out better-mini

begins with the weights of an earlier one and trains it further.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from moeclip_cli.training.mini import CONTINUED, Recipe, train_mini
from moeclip_cli.training.mini.loop import Progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("moeclip-mini"), help="folder to write to")
    parser.add_argument("--minutes", type=float, help="stop and finish after this time")
    parser.add_argument("--resume", action="store_true", help="go on with what --out holds")
    parser.add_argument("--start", metavar="FOLDER", help="a model whose weights to begin with")
    parser.add_argument("--steps", type=int, help="length in batches")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw images")
    parser.add_argument("--threads", type=int, help="CPU threads of the network")
    parser.add_argument(
        "--bf16", action="store_true", help="bfloat16; faster on processors that compute in it"
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
    print(
        f"{progress.fraction:4.0%}  step {progress.stand.step}  {progress.stand.images} images  "
        f"{progress.stand.seconds / 60:.1f} min  {parts}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
