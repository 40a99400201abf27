"""Draw the built-in model's worst mistakes on generated images of held-out families.

    python workshop/draw_mistakes.py examples/mistakes.jpg

The upper half shows the clean images with the highest scores, the lower half the defective images
with the lowest scores. The anomaly map is below each image, the score in its corner; the defect is
outlined in blue.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from moeclip_cli import Inspector
from moeclip_cli.datasets.synthetic import HELD_OUT_FAMILIES, TRAINING_DEFECTS, generate
from moeclip_cli.pictures.overlay import render_overlay

SEED = 20_260_005
SIDE = 256
COLUMNS = 8
OUTLINE_COLOUR = (0, 120, 255)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ScoredPicture:
    """An image's score and label, and a picture of the image above its overlay."""

    score: float
    anomalous: bool
    picture: Pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="image file to write")
    parser.add_argument("--pairs", type=int, default=200, help="number of generated pairs")
    options = parser.parse_args()
    inspector = Inspector.load(device="cpu")
    scored: list[ScoredPicture] = []
    for index in range(options.pairs):
        pair = generate(SEED, index, SIDE, HELD_OUT_FAMILIES, TRAINING_DEFECTS)
        scored.append(draw(inspector, pair.clean, None))
        scored.append(draw(inspector, pair.defective, pair.mask))
    scored.sort(key=lambda each: each.score)
    alarms = [each for each in reversed(scored) if not each.anomalous]
    misses = [each for each in scored if each.anomalous]
    rows = [
        np.hstack([each.picture for each in mistakes[start : start + COLUMNS]])
        for mistakes in (alarms, misses)
        for start in (0, COLUMNS)
    ]
    Image.fromarray(np.vstack(rows)).save(options.out, quality=80)


def draw(inspector: Inspector, pixels: Pixels, mask: NDArray[np.bool_] | None) -> ScoredPicture:
    result = next(inspector.score([pixels]))
    overlay = render_overlay(pixels, result.probability, inspector.threshold.value, legend=False)
    marked = pixels.copy()
    if mask is not None:
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        cv2.drawContours(marked, contours, -1, OUTLINE_COLOUR, 2, cv2.LINE_AA)
    for ink, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        text = f"{result.score:.2f}"
        cv2.putText(marked, text, (6, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, width, cv2.LINE_AA)
    picture = cv2.resize(np.vstack([marked, overlay]), None, fx=0.625, fy=0.625)
    return ScoredPicture(result.score, mask is not None, picture)


if __name__ == "__main__":
    main()
