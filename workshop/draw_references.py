"""Draw what a few good parts bring: defects found without and with references.

    moeclip datasets synthesize shop --same-product --categories 1 --images 20
    python workshop/draw_references.py shop/board examples/references.jpg

The first row shows defective images with the defect outlined in blue; below are the overlays of the
built-in model without references, and of the built-in DINOv2 with the first images of `train/good`.
Each has its score in the corner; scores of anomalous images are red.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from moeclip_cli import Inspector
from moeclip_cli.images.decode import decode
from moeclip_cli.pictures.legend import font
from moeclip_cli.pictures.overlay import render_overlay

OUTLINE_COLOUR = (0, 120, 255)
RED, BLACK = (190, 0, 0), (0, 0, 0)
GAP, HEADING = 6, 26

Pixels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("category", type=Path, help="folder in MVTec's layout")
    parser.add_argument("out", type=Path, help="image file to write")
    parser.add_argument("--columns", type=int, default=5, help="number of defective images")
    parser.add_argument("--references", type=int, default=10, help="number of good parts")
    options = parser.parse_args()
    found = sorted(options.category.glob("test/*/*.png"), key=lambda path: path.name)
    paths = [path for path in found if path.parent.name != "good"][: options.columns]
    good = sorted(options.category.glob("train/good/*.png"))[: options.references]
    rows = {
        "Defective parts": [outlined(path, options.category) for path in paths],
        "Zero-shot": overlays(Inspector.load(device="cpu"), paths),
        f"Compared with {len(good)} good parts": overlays(
            Inspector.load(references=good, device="cpu"), paths
        ),
    }
    pieces = [piece for title, row in rows.items() for piece in (heading(title, row), joined(row))]
    Image.fromarray(np.vstack(pieces)).save(options.out, quality=85)


def outlined(path: Path, category: Path) -> Pixels:
    """The image with its defect outlined."""
    marked = decode(path).pixels.copy()
    mask_path = category / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
    mask = decode(mask_path).pixels[..., 0]
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(marked, contours, -1, OUTLINE_COLOUR, 2, cv2.LINE_AA)
    return marked


def overlays(inspector: Inspector, paths: list[Path]) -> list[Pixels]:
    """The overlay of each image, with its score."""
    drawn = []
    for path, result in zip(paths, inspector.score(paths), strict=True):
        overlay = render_overlay(
            decode(path).pixels, result.probability, inspector.threshold.value, legend=False
        )
        picture = Image.fromarray(overlay)
        ImageDraw.Draw(picture).text(
            (6, 4),
            f"{result.score:.2f} {result.verdict}",
            fill=RED if result.verdict == "anomalous" else BLACK,
            font=font(20),
            stroke_width=3,
            stroke_fill=(255, 255, 255),
        )
        drawn.append(np.asarray(picture))
    return drawn


def heading(title: str, row: list[Pixels]) -> Pixels:
    """A line of text as wide as a row."""
    line = Image.new("RGB", (joined(row).shape[1], HEADING), (255, 255, 255))
    ImageDraw.Draw(line).text((2, 3), title, fill=BLACK, font=font(18))
    return np.asarray(line)


def joined(row: list[Pixels]) -> Pixels:
    """Pictures of equal size beside each other."""
    gap = np.full((len(row[0]), GAP, 3), 255, np.uint8)
    return np.hstack([piece for picture in row for piece in (picture, gap)][:-1])


if __name__ == "__main__":
    main()
