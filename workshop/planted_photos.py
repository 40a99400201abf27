"""Evaluate the built-in model on defects planted into crops of real photographs.

    pip install scikit-image
    python workshop/planted_photos.py

Prints image AUROC, the share of pairs in which the defective crop scores above the clean one, and
the rates of false alarms and defects found at the model's threshold. Most photographs show no
product and are full of unique details, which is harder than inspection; the numbers serve to
compare versions of the model.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from mini_scores import Pixels, format_metric, load_model, model_parser, score_pairs
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import COMMON_KINDS, TRAINING_DEFECTS
from moeclip_cli.datasets.synthetic.generator import plant_defect
from moeclip_cli.images.resized import resize_to_square

SEED = 7
SIDE = 320
KINDS = [kind for kind in TRAINING_DEFECTS if kind in COMMON_KINDS]
# Photographs that are part of scikit-image; the others would have to be downloaded.
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
    """Yield random square crops of the photographs in turn, without and with a defect."""
    import skimage.data

    rng = np.random.default_rng(SEED)
    photographs = [getattr(skimage.data, name)() for name in PHOTOGRAPHS]
    for index in range(count):
        clean = random_crop(photographs[index % len(photographs)], rng)
        defective, _ = plant_defect(clean, rng, str(rng.choice(KINDS)))
        yield clean, defective


def crops(
    count: int, others: int
) -> Iterator[tuple[str, list[tuple[Pixels, Pixels]], list[Pixels]]]:
    """For each photograph, its name, pairs of crops as in `pairs`, and further clean crops."""
    import skimage.data

    for number, name in enumerate(PHOTOGRAPHS):
        rng = np.random.default_rng([SEED, number])
        photograph = getattr(skimage.data, name)()
        clean = [random_crop(photograph, rng) for _ in range(count)]
        planted = [plant_defect(pixels, rng, str(rng.choice(KINDS)))[0] for pixels in clean]
        further = [random_crop(photograph, rng) for _ in range(others)]
        yield name, list(zip(clean, planted, strict=True)), further


def random_crop(photograph: NDArray[np.uint8], rng: np.random.Generator) -> Pixels:
    colours = photograph if photograph.ndim == 3 else np.repeat(photograph[..., None], 3, 2)
    height, width = colours.shape[:2]
    side = int(min(height, width) * rng.uniform(0.55, 1))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = np.ascontiguousarray(colours[top : top + side, left : left + side])
    return resize_to_square(crop, SIDE, "bicubic")


def main() -> None:
    parser = model_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=280, help="number of pairs")
    options = parser.parse_args()
    inspector = load_model(options)
    scores = score_pairs(inspector, pairs(options.pairs))
    false_alarms, found = scores.rates(inspector.threshold.value)
    print(f"image AUROC {format_metric(scores.auroc())}")
    print(f"defective above clean {(scores.defective > scores.normal).mean():.1%}")
    print(f"false alarms {false_alarms:.1%}")
    print(f"found {found:.1%}")


if __name__ == "__main__":
    main()
