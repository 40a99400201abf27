"""How well the built-in model finds defects that are planted into parts of real photographs.

    pip install scikit-image
    python benchmarks/planted_photos.py

prints image AUROC, how often a defective part scores above its clean twin, false alarms and finds
at the model's threshold. Most of the photographs show no product and are full of things that occur
once, which makes this harder than inspection; it tells one version of the model from another.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skimage.data
from evaluate_mini import number
from numpy.typing import NDArray

from moeclip_cli import Inspector
from moeclip_cli.datasets.synthetic import COMMON_KINDS, TRAINING_DEFECTS
from moeclip_cli.datasets.synthetic.generator import plant_defect
from moeclip_cli.evaluation.ranking import rank
from moeclip_cli.images.preprocess import resize_to_square

SEED = 7
SIDE = 320
KINDS = [kind for kind in TRAINING_DEFECTS if kind in COMMON_KINDS]
# Those that scikit-image brings along; the others would have to be fetched.
PHOTOGRAPHS = (
    "brick",
    "grass",
    "gravel",
    "coffee",
    "camera",
    "coins",
    "page",
    "moon",
    "rocket",
    "chelsea",
    "clock",
    "cell",
    "text",
    "immunohistochemistry",
)

Pixels = NDArray[np.uint8]


def pairs(count: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Random square parts of the photographs in turn, without and with a defect."""
    rng = np.random.default_rng(SEED)
    photographs = [getattr(skimage.data, name)() for name in PHOTOGRAPHS]
    for index in range(count):
        clean = random_part(photographs[index % len(photographs)], rng)
        defective, _ = plant_defect(clean, rng, str(rng.choice(KINDS)))
        yield clean, defective


def random_part(photograph: NDArray[np.uint8], rng: np.random.Generator) -> Pixels:
    colours = photograph if photograph.ndim == 3 else np.repeat(photograph[..., None], 3, 2)
    height, width = colours.shape[:2]
    side = int(min(height, width) * rng.uniform(0.55, 1))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    part = np.ascontiguousarray(colours[top : top + side, left : left + side])
    return resize_to_square(part, SIDE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="moeclip-mini", help="built-in name or file")
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--pairs", type=int, default=280)
    options = parser.parse_args()
    inspector = Inspector.load(
        options.model, backbone_weights=options.backbone_weights, device="cpu"
    )
    images = (image for pair in pairs(options.pairs) for image in pair)
    scores = np.array([result.score for result in inspector.score(images)])
    clean, defective = scores[::2], scores[1::2]
    labels = np.arange(len(scores)) % 2 == 1
    threshold = inspector.threshold.value
    print(f"image AUROC {number(rank(scores, labels).auroc())}")
    print(f"above its clean twin {(defective > clean).mean():.1%}")
    print(f"false alarms {(clean >= threshold).mean():.1%}")
    print(f"found {(defective >= threshold).mean():.1%}")


if __name__ == "__main__":
    main()
