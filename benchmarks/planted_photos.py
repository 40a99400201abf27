"""How well the built-in model finds defects that are planted into parts of real photographs.

    pip install scikit-image
    python benchmarks/planted_photos.py

prints image AUROC, how often a defective part scores above its clean twin, false alarms and finds
at the model's threshold. Most of the photographs show no product and are full of things that occur
once, which makes this harder than inspection; it tells one version of the model from another.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import skimage.data
from evaluate_mini import number
from mini_scores import Pixels, load_model, model_parser, score_pairs
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import COMMON_KINDS, TRAINING_DEFECTS
from moeclip_cli.datasets.synthetic.generator import plant_defect
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
    parser = model_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=280)
    options = parser.parse_args()
    inspector = load_model(options)
    scores = score_pairs(inspector, pairs(options.pairs))
    false_alarms, found = scores.rates(inspector.threshold.value)
    print(f"image AUROC {number(scores.auroc())}")
    print(f"above its clean twin {(scores.defective > scores.normal).mean():.1%}")
    print(f"false alarms {false_alarms:.1%}")
    print(f"found {found:.1%}")


if __name__ == "__main__":
    main()
