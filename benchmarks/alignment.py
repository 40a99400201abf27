"""How exactly `--align` finds a view: the example images, moved, with gain, noise and a defect.

Each image is the reference view of eight copies, shifted by up to 10 % of its sides, turned by up
to 5 degrees and scaled by up to 3 %. The error is that of the farthest corner of the view.

    python benchmarks/alignment.py [--side 6000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from moeclip_cli.images.decode import decode
from moeclip_cli.images.encode import save_picture
from moeclip_cli.inspection.reference_view import ReferenceView
from moeclip_cli.inspection.similarity import Similarity, of_pixels

EXAMPLES = Path(__file__).parents[1] / "examples" / "images"
COPIES = 8


def moved(pixels, similarity, rng):
    height, width = pixels.shape[:2]
    matrix = of_pixels(similarity.matrix(width, height))
    copy = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC)
    changed = copy * rng.uniform(0.7, 1.2) + rng.uniform(-20, 20) + rng.normal(0, 4, copy.shape)
    found = changed.clip(0, 255).astype(np.uint8)
    centre = (int(width * rng.uniform(0.2, 0.8)), int(height * rng.uniform(0.2, 0.8)))
    cv2.circle(found, centre, width // 14, (10, 10, 10), -1)
    return found


def farthest(first, second, width, height):
    corners = np.array(((0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1))).T
    off = (first.matrix(width, height) - second.matrix(width, height)) @ corners
    return np.hypot(*off).max()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, help="resize the longer side to this")
    side = parser.parse_args().side
    rng = np.random.default_rng(0)
    worst = 0.0
    for path in sorted(EXAMPLES.rglob("*.*")):
        pixels = decode(path).pixels
        height, width = pixels.shape[:2]
        if side is not None:
            factor = side / max(height, width)
            width, height = round(width * factor), round(height * factor)
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)
        with tempfile.TemporaryDirectory() as folder:
            save_picture(Path(folder, "view.png"), pixels)
            view = ReferenceView.read(Path(folder, "view.png"))
        errors, seconds = [], 0.0
        for _ in range(COPIES):
            across, down = rng.uniform(-0.1, 0.1, 2)
            true = Similarity(
                across * width, down * height, rng.uniform(-5, 5), rng.uniform(0.97, 1.03)
            )
            image = moved(pixels, true, rng)
            start = time.process_time()
            errors.append(farthest(view.locate(image), true, width, height))
            seconds += time.process_time() - start
        worst = max(worst, *errors)
        print(
            f"{path.relative_to(EXAMPLES)!s:24} {width} x {height}: error up to "
            f"{max(errors):.2f} pixels, {seconds / COPIES:.2f} s of processor time an image"
        )
    print(f"worst: {worst:.2f} pixels")


if __name__ == "__main__":
    main()
