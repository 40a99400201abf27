"""Measure the robustness of the built-in model against worse cameras than the generator's.

    python workshop/robustness.py

Adds noise, blur, JPEG compression or low contrast to complete generated pairs of held-out families,
clean and defective images alike, and prints image AUROC and the rates of false alarms and defects
found at the model's threshold. Defects in generated images are sharper and less noisy than in a
photograph by such a camera; this removes that advantage.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from evaluation_sets import SEED, SIDE
from mini_scores import Pixels, format_metric, load_model, model_parser, score_pairs

from moeclip_cli.datasets.synthetic import HELD_OUT_FAMILIES, TRAINING_DEFECTS, generate

Degradation = Callable[[Pixels, np.random.Generator], Pixels]


def noise(deviation: float) -> Degradation:
    """Add sensor noise, equal in all channels; `deviation` is a fraction of white."""

    def add(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        grains = rng.normal(0, deviation * 255, pixels.shape[:2])
        return np.clip(np.round(pixels + grains[..., None]), 0, 255).astype(np.uint8)

    return add


def blur(deviation: float) -> Degradation:
    """Defocus; `deviation` is in pixels of an image with the side `SIDE`."""
    return lambda pixels, rng: cv2.GaussianBlur(pixels, (0, 0), deviation)


def jpeg(quality: int) -> Degradation:
    def compress(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    return compress


def contrast(fraction: float) -> Degradation:
    """Reduce the contrast to a fraction, around a dark grey."""
    return lambda pixels, rng: np.round(pixels * fraction + 60 * (1 - fraction)).astype(np.uint8)


DEGRADATIONS: dict[str, Degradation] = {
    "as generated": lambda pixels, rng: pixels,
    "noise of 1 %": noise(0.01),
    "noise of 2 %": noise(0.02),
    "noise of 4 %": noise(0.04),
    "blur of 0.7 pixels": blur(0.7),
    "blur of 1.5 pixels": blur(1.5),
    "JPEG of quality 75": jpeg(75),
    "JPEG of quality 40": jpeg(40),
    "40 % of the contrast": contrast(0.4),
}


def main() -> None:
    parser = model_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="number of generated pairs")
    options = parser.parse_args()
    inspector = load_model(options)
    pairs = [
        generate(SEED, index, SIDE, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
        for index in range(options.pairs)
    ]
    print("| images | image AUROC | false alarms | found |", "|---|---|---|---|", sep="\n")
    for name, degrade in DEGRADATIONS.items():
        rng = np.random.default_rng(SEED)
        degraded = ((degrade(pair.clean, rng), degrade(pair.defective, rng)) for pair in pairs)
        scores = score_pairs(inspector, degraded)
        false_alarms, found = scores.rates(inspector.threshold.value)
        auroc = format_metric(scores.auroc())
        print(f"| {name} | {auroc} | {false_alarms:.1%} | {found:.1%} |", flush=True)


if __name__ == "__main__":
    main()
