"""Make the example images in examples/images and their masks in examples/masks from their sources.

    pip install scikit-image==0.26.0 conformal-clip-data==0.1.4
    python workshop/make_images.py [FOLDER]

FOLDER receives images/ and masks/; examples/ by default. The sources and licences are listed in
examples/README.md. Images named `defect_*` contain a defect planted with a fixed seed, which their
mask shows. JPEG bytes may differ between OpenCV versions.
"""

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import conformal_clip_data
import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

Image = NDArray[np.float32]  # (H, W) grey or (H, W, 3) BGR, 0 to 255
Mask = NDArray[np.float32]  # (H, W), 0 to 1: how much of the pixel is defect
Point = tuple[float, float]  # x, y in pixels
Planted = tuple[Image, Mask]

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def bgr(pixels: NDArray[np.uint8]) -> Image:
    return np.ascontiguousarray(pixels[..., ::-1]).astype(np.float32)


def grey(pixels: NDArray[np.uint8]) -> Image:
    return pixels.astype(np.float32)


def enlarge(image: Image, factor: float) -> Image:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


def noise(shape: tuple[int, ...], rng: np.random.Generator, *sizes: float) -> Image:
    """Sum smooth noise of one layer per size in pixels; mean 0, standard deviation 1."""
    total = np.zeros(shape[:2], np.float32)
    for size in sizes:
        layer = cv2.GaussianBlur(rng.standard_normal(shape[:2]).astype(np.float32), (0, 0), size)
        total += (layer - layer.mean()) / layer.std()
    return total / total.std()


def blob(
    shape: tuple[int, ...],
    centre: Point,
    radii: Point,
    rng: np.random.Generator,
    roughness: float = 0.15,
    softness: float = 1.0,
) -> Mask:
    """Return an irregular round spot; `softness` is the width of its edge in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    distance = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    distance += roughness * noise(shape, rng, min(radii) / 6, min(radii) / 2.5)
    return np.clip(0.5 + (1 - distance) * min(radii) / softness, 0, 1).astype(np.float32)


def track(
    shape: tuple[int, ...],
    points: list[Point],
    width: float,
    rng: np.random.Generator,
    wobble: float,
) -> Mask:
    """Return a thin, tapered line through the points that deviates by `wobble` pixels."""
    steps = np.linspace(0, len(points) - 1, 60 * len(points))
    corners = np.array(points)
    line = np.stack([np.interp(steps, range(len(points)), axis) for axis in corners.T], axis=1)
    stray = np.cumsum(rng.standard_normal(line.shape), axis=0)
    line += wobble * (stray - np.linspace(stray[0], stray[-1], len(stray))) / stray.std()
    fixed_point = 4
    canvas = np.zeros(shape[:2], np.uint8)
    for i, (a, b) in enumerate(pairwise(line)):
        taper = np.sin(np.pi * (i + 6) / (len(line) + 11)) * rng.uniform(0.7, 1.3)
        ends = [tuple(int(v) for v in np.round(p * 2**fixed_point)) for p in (a, b)]
        thickness = max(1, round(width * taper))
        cv2.line(canvas, *ends, 255, thickness, cv2.LINE_AA, fixed_point)
    return canvas.astype(np.float32) / 255


def blend(image: Image, other: Image | float, mask: Mask) -> Image:
    weight = mask if image.ndim == 2 else mask[..., None]
    return (image * (1 - weight) + other * weight).astype(np.float32)


def shifted(mask: Mask, dx: float, dy: float) -> Mask:
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(mask, move, (mask.shape[1], mask.shape[0]))


def crack(image: Image, line: Mask) -> Image:
    lit_edge = np.clip(shifted(line, 1.3, 1.3) - line, 0, 1)
    return blend(blend(image, image * 1.35 + 12, 0.6 * lit_edge), image * 0.2, 0.95 * line)


def scratch(image: Image, line: Mask) -> Image:
    shaded_edge = np.clip(shifted(line, 1.2, 1.2) - line, 0, 1)
    return blend(blend(image, image * 0.55, 0.8 * shaded_edge), image * 0.6 + 95, 0.85 * line)


def brick_defect(rng: np.random.Generator) -> Planted:
    image = grey(skimage.data.brick())[:, 112:][:, ::-1]
    line = track(image.shape, [(70, 30), (105, 190), (190, 300), (215, 470)], 3, rng, 7)
    branch = track(image.shape, [(190, 300), (260, 345), (300, 420)], 2, rng, 5)
    line = np.maximum(line, branch)
    spall = blob(image.shape, (118, 205), (26, 34), rng, 0.22, 2)
    depth = noise(image.shape, rng, 1.2, 4)
    broken = 112 + 20 * depth + 45 * (shifted(spall, -4, -4) - shifted(spall, 4, 4))
    return blend(crack(image, line), broken, spall), np.maximum(line, spall)


def gravel_defect(rng: np.random.Generator) -> Planted:
    image = grey(skimage.data.gravel())[::-1, ::-1]
    spill = blob(image.shape, (330, 190), (88, 66), rng, 0.2, 9)
    for centre, radius in (((205, 285), 20.0), ((440, 262), 13.0)):
        spill = np.maximum(spill, blob(image.shape, centre, (radius, radius * 0.8), rng, 0.2, 5))
    wet = 0.30 * image + 70 * np.clip((image - 165) / 60, 0, 1)
    return blend(image, wet, 0.92 * spill), spill


def coin(scale: float) -> tuple[Image, Mask]:
    """Return one coin cropped from the tray, and its outline."""
    tray = grey(skimage.data.coins())
    cut = enlarge(tray[168:215, 189:236], scale)
    outline = np.zeros(cut.shape, np.float32)
    centre = (cut.shape[1] // 2, cut.shape[0] // 2)
    cv2.circle(outline, centre, round(20.5 * scale), 1, -1, cv2.LINE_AA)
    return cut, cv2.GaussianBlur(outline, (0, 0), 0.8)


def grass_defect(_: np.random.Generator) -> Planted:
    image = grey(skimage.data.grass())[:, ::-1].copy()
    cut, outline = coin(1.25)
    top, left = 300, 150
    window = (slice(top, top + cut.shape[0]), slice(left, left + cut.shape[1]))
    foreign = np.zeros(image.shape, np.float32)
    foreign[window] = outline
    shadow = cv2.GaussianBlur(shifted(foreign, 5, 6), (0, 0), 3)
    planted = blend(image, image * 0.35, 0.8 * shadow)
    pasted = image.copy()
    pasted[window] = 30 + 0.9 * cut
    return blend(planted, pasted, foreign), foreign


def coins_defect(rng: np.random.Generator) -> Planted:
    image = enlarge(grey(skimage.data.coins())[::-1, ::-1], 2)
    whole = blob(image.shape, (339, 216), (56, 56), rng, 0, 2)
    broken = whole * blob(image.shape, (398, 232), (54, 90), rng, 0.06, 2)
    wider_than_a_coin = 151
    felt = cv2.medianBlur(image.round().clip(0, 255).astype(np.uint8), wider_than_a_coin)
    felt = felt.astype(np.float32) + 4 * noise(image.shape, rng, 1, 3)
    missing = broken * blob(image.shape, (341, 217), (47, 47), rng, 0, 2)
    return blend(image, felt, broken), missing


def cup_defect(rng: np.random.Generator) -> Planted:
    image = bgr(skimage.data.coffee())
    chip = blob(image.shape, (115, 293), (14, 12), rng, 0.12, 1.5)
    clay = np.array([120, 160, 190], np.float32) + 12 * noise(image.shape, rng, 1, 4)[..., None]
    lower_edge = np.clip(chip - shifted(chip, 2, -2), 0, 1)
    line = track(image.shape, [(122, 284), (133, 262), (128, 228), (150, 196)], 1, rng, 2)
    image = blend(image, image * 0.25, 0.85 * line)
    image = blend(blend(image, clay, chip), clay * 0.5, 0.8 * lower_edge)
    return image, np.maximum(chip, line)


def wood(flip: bool) -> Image:
    board = bgr(skimage.data.coffee())[:280, 484:]
    return enlarge(board[:, ::-1] if flip else board, 3)


def wood_defect(rng: np.random.Generator) -> Planted:
    image = wood(flip=True)
    gouge = track(image.shape, [(60, 250), (150, 330), (290, 400)], 4, rng, 3)
    burn = blob(image.shape, (165, 585), (62, 46), rng, 0.16, 14)
    char = image * np.array([0.16, 0.18, 0.22], np.float32) + 8
    return scratch(blend(image, char, 0.9 * burn), gouge), np.maximum(gouge, burn)


def retina(flip: bool) -> Image:
    eye = bgr(skimage.data.retina())
    small = cv2.resize(eye, (900, 900), interpolation=cv2.INTER_AREA)
    return small[:, ::-1].copy() if flip else small


def retina_defect(rng: np.random.Generator) -> Planted:
    image = retina(flip=True)
    mask = np.zeros(image.shape[:2], np.float32)
    blood, fat = (np.array(colour, np.float32) for colour in ((14, 16, 105), (120, 205, 245)))
    for x, y, radius in ((300, 560, 38), (355, 610, 20), (262, 628, 15), (330, 500, 11)):
        spot = blob(image.shape, (x, y), (radius, radius * 0.75), rng, 0.12, 9)
        image, mask = blend(image, blood, 0.85 * spot), np.maximum(mask, spot)
    for _ in range(9):
        place = (float(rng.normal(400, 26)), float(rng.normal(540, 22)))
        spot = blob(image.shape, place, (rng.uniform(4, 9), rng.uniform(4, 8)), rng, 0.15, 3)
        image, mask = blend(image, fat, 0.8 * spot), np.maximum(mask, spot)
    return image, mask


def bracket(size: float, rng: np.random.Generator) -> Image:
    """Draw a metal bracket on a dark mat, 1000 x 700 pixels times `size`."""
    shape = (round(700 * size), round(1000 * size))

    def scaled(*values: float) -> list[int]:
        return [round(v * size) for v in values]

    outline = np.zeros(shape, np.uint8)
    corners = [(120, 110), (400, 110), (440, 150), (440, 400), (830, 400), (880, 450), (880, 560)]
    corners += [(850, 590), (160, 590), (120, 550)]
    cv2.fillPoly(outline, [np.array([scaled(*c) for c in corners], np.int32)], 255, cv2.LINE_AA)
    for x, y, radius in ((280, 210, 48), (280, 470, 48), (540, 495, 34), (760, 495, 34)):
        cv2.circle(outline, tuple(scaled(x, y)), *scaled(radius), 0, -1, cv2.LINE_AA)
    metal = cv2.GaussianBlur(outline.astype(np.float32) / 255, (0, 0), 0.6 * size)

    mat = 52 + 3.5 * noise(shape, rng, 0.7, 2.0) + 4 * noise(shape, rng, 60 * size)
    shadow = cv2.GaussianBlur(shifted(metal, 9 * size, 12 * size), (0, 0), 8 * size)
    grain = cv2.blur(rng.standard_normal(shape).astype(np.float32), (round(141 * size), 1))
    light = np.linspace(1.12, 0.9, shape[1], dtype=np.float32)[None, :]
    sheen = 158 * light + 9 * grain / grain.std() + 5 * noise(shape, rng, 90 * size)
    inner = cv2.GaussianBlur(metal, (0, 0), 2.2 * size)
    bevel = shifted(inner, -3 * size, -3 * size) - shifted(inner, 3 * size, 3 * size)
    picture = blend(blend(mat, mat * 0.35, shadow), sheen - 70 * bevel, metal)
    tint = np.array([1.03, 1.0, 0.97], np.float32)
    return picture[..., None] * tint


def bracket_defect(rng: np.random.Generator) -> Planted:
    image = bracket(2, rng)
    line = track(image.shape, [(330, 640), (560, 740), (850, 1010)], 7, rng, 4)
    rust = blob(image.shape, (1330, 900), (120, 60), rng, 0.3, 30)
    colour = np.array([38, 78, 132], np.float32) * (
        1 + 0.22 * noise(image.shape, rng, 1.5, 6, 20)[..., None]
    )
    rusty = blend(image, colour, 0.85 * rust)
    return scratch(rusty, line), np.maximum(line, rust)


GOOD: dict[str, Callable[[np.random.Generator], Image]] = {
    "brick/good_01.jpg": lambda rng: grey(skimage.data.brick())[:, :400],
    "bracket/good_01.jpg": lambda rng: bracket(1, rng),
    "coins/good_01.jpg": lambda rng: enlarge(grey(skimage.data.coins()), 2),
    "cup/good_01.jpg": lambda rng: bgr(skimage.data.coffee()),
    "grass/good_01.jpg": lambda rng: grey(skimage.data.grass()),
    "gravel/good_01.png": lambda rng: grey(skimage.data.gravel()),
    "retina/good_01.jpg": lambda rng: retina(flip=False),
    "wood/good_01.jpg": lambda rng: wood(flip=False),
}
DEFECT: dict[str, Callable[[np.random.Generator], Planted]] = {
    "brick/defect_01.jpg": brick_defect,
    "bracket/defect_01.jpg": bracket_defect,
    "coins/defect_01.jpg": coins_defect,
    "cup/defect_01.jpg": cup_defect,
    "grass/defect_01.jpg": grass_defect,
    "gravel/defect_01.png": gravel_defect,
    "retina/defect_01.jpg": retina_defect,
    "wood/defect_01.jpg": wood_defect,
}
COPIED = {
    "textile/good_01.jpg": conformal_clip_data.nominal_dir() / "textile_0002.jpg",
    "textile/defect_01.jpg": conformal_clip_data.local_dir() / "textile_0009.jpg",
}


def save(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image.round().clip(0, 255).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), pixels, options):
        raise OSError(f"Cannot write {path}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=EXAMPLES)
    folder = parser.parse_args().folder
    for name, make in GOOD.items():
        save(folder / "images" / name, make(np.random.default_rng(1)))
    for name, plant in DEFECT.items():
        image, mask = plant(np.random.default_rng(2))
        save(folder / "images" / name, image)
        save((folder / "masks" / name).with_suffix(".png"), 255.0 * (mask > 0.3))
    for name, source in COPIED.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())


if __name__ == "__main__":
    main()
