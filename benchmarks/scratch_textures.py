"""Scratches of one pixel on the real textures of examples/images, tile by tile.

    python benchmarks/scratch_textures.py wood gravel
    python benchmarks/scratch_textures.py wood --model moeclip-mini

Each texture is mirrored to 4000 x 2000 pixels. Ten tiles are cut out at random and scored as they
are; four of them are scored again with a line of one pixel across, in four directions, dark (25)
and bright (245). With tiles of the size of the pictures, each is one tile of `--tile`. References
are a part of the same texture, or, with --model, there are none.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli import Inspector

_IMAGES = Path(__file__).parents[1] / "examples" / "images"
_TEXTURES = ("wood", "brick", "textile", "grass", "gravel")
_NEAR = 14  # pixels between the peak and the scratch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("textures", nargs="*", default=_TEXTURES)
    parser.add_argument("--tile", type=int, default=224)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--model", help="score with this checkpoint, without references")
    options = parser.parse_args()
    for name in options.textures:
        surface = mirrored(cv2.imread(str(next((_IMAGES / name).glob("good_01.*")))), 2000, 4000)
        side = 1200 if options.tile > 250 else 700
        given = (
            {"model": options.model} if options.model else {"references": [surface[:side, :side]]}
        )
        inspector = Inspector.load(
            **given, image_size=options.image_size, tile=options.tile, threshold=0.5, device="cpu"
        )
        show(name, inspector, tiles(surface, options.tile))


def show(name: str, inspector: Inspector, clean: list[NDArray[np.uint8]]) -> None:
    scores = [result.score for result in inspector.score(clean)]
    print(f"{name}: clean {min(scores):.3f} to {max(scores):.3f}", flush=True)
    for kind, value in (("dark", 25), ("bright", 245)):
        near, found = 0, []
        for number, tile in enumerate(clean[:4]):
            scratched, line = with_scratch(tile, 30 + 20 * number, value)
            (result,) = inspector.score([scratched])
            rows, columns = np.nonzero(line)
            distance = np.hypot(rows - result.peak_y, columns - result.peak_x).min()
            near += int(distance < _NEAR)
            found.append(result.score)
        listed = ", ".join(f"{score:.3f}" for score in found)
        print(f"  {kind} scratch: {listed}; peak on it in {near} of 4", flush=True)


def mirrored(texture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    missing = (height - texture.shape[0], width - texture.shape[1])
    return np.pad(texture, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def tiles(surface: NDArray[np.uint8], side: int) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    height, width = surface.shape[:2]
    corners = ((random.integers(height - side), random.integers(width - side)) for _ in range(10))
    return [surface[top : top + side, left : left + side].copy() for top, left in corners]


def with_scratch(
    tile: NDArray[np.uint8], degrees: float, value: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    side = len(tile)
    reach = 0.4 * side * np.array((np.cos(np.radians(degrees)), np.sin(np.radians(degrees))))
    ends = [tuple((side / 2 + sign * reach).astype(int).tolist()) for sign in (-1, 1)]
    line = cv2.line(np.zeros((side, side), np.uint8), *ends, 255, 1)
    scratched = tile.copy()
    scratched[line > 0] = value
    return scratched, line


if __name__ == "__main__":
    main()
