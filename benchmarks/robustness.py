"""How the built-in model's scores survive worse cameras than the generator's.

    python benchmarks/robustness.py

The same generated pairs of held-out families, clean and defective alike, with noise, blur, JPEG or
little contrast added after everything was drawn: image AUROC, false alarms and finds at the
model's threshold. In generated pictures a defect is sharper and less noisy than a photograph by
such a camera would show it; this takes that advantage away.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from evaluate_mini import SEED, SIDE, number
from mini_scores import Pixels, load_model, model_parser, score_pairs

from moeclip_cli.datasets.synthetic import HELD_OUT_FAMILIES, TRAINING_DEFECTS, generate

Damage = Callable[[Pixels, np.random.Generator], Pixels]


def noise(deviation: float) -> Damage:
    """Noise of the sensor, equal in all channels; deviation as a fraction of white."""

    def add(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        grains = rng.normal(0, deviation * 255, pixels.shape[:2])
        return np.clip(np.round(pixels + grains[..., None]), 0, 255).astype(np.uint8)

    return add


def blur(deviation: float) -> Damage:
    """Defocus; deviation in pixels of a picture with a side of `SIDE`."""
    return lambda pixels, rng: cv2.GaussianBlur(pixels, (0, 0), deviation)


def jpeg(quality: int) -> Damage:
    def compress(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        written = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.cvtColor(cv2.imdecode(written, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    return compress


def contrast(share: float) -> Damage:
    """This share of the contrast, around a dark grey."""
    return lambda pixels, rng: np.round(pixels * share + 60 * (1 - share)).astype(np.uint8)


DAMAGES: dict[str, Damage] = {
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
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    inspector = load_model(options)
    pairs = [
        generate(SEED, index, SIDE, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
        for index in range(options.pairs)
    ]
    print("| pictures | image AUROC | false alarms | found |", "|---|---|---|---|", sep="\n")
    for name, damage in DAMAGES.items():
        rng = np.random.default_rng(SEED)
        damaged = ((damage(pair.clean, rng), damage(pair.defective, rng)) for pair in pairs)
        scores = score_pairs(inspector, damaged)
        false_alarms, found = scores.rates(inspector.threshold.value)
        auroc = number(scores.auroc())
        print(f"| {name} | {auroc} | {false_alarms:.1%} | {found:.1%} |", flush=True)


if __name__ == "__main__":
    main()
