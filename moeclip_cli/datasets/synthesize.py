"""Synthetic datasets: generated or user images with planted defects, in MVTec's layout.

CATEGORY/train/good/000.png            CATEGORY/test/good/000.png
CATEGORY/test/DEFECT/000.png           CATEGORY/ground_truth/DEFECT/000_mask.png
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import (
    COMMON_KINDS,
    FAMILIES,
    MIN_SIDE,
    generate,
    plant_defect,
)
from moeclip_cli.datasets.synthetic.product import defective, photograph, views_of
from moeclip_cli.errors import DatasetError, ImageError, UsageError
from moeclip_cli.files import write_errors
from moeclip_cli.images.decode import decode
from moeclip_cli.images.encode import save_picture

Pixels = NDArray[np.uint8]

_MAX_STEM_LENGTH = 60


def synthesize(
    folder: Path,
    *,
    categories: int,
    images: int,
    size: int,
    seed: int,
    same_product: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write generated categories, each a family of textures, parts or panels.

    Args:
        folder: destination; must be empty or missing.
        categories: number of categories.
        images: number of images of each type per category: good for training, good for testing,
            defective for testing.
        size: side of the images in pixels.
        seed: random seed.
        same_product: draw one product for each category; its images differ in position, light and
            noise. By default, the design differs from image to image, too.
        advance: called after each image.

    Raises:
        UsageError: if the folder is not empty or cannot be written, or `categories` is
            out of range.
        DatasetError: if `size` is too small.
    """
    if not 1 <= categories <= len(FAMILIES):
        raise UsageError(f"`categories` must be between 1 and {len(FAMILIES)}, not {categories}.")
    _make_empty(folder)
    rng = np.random.default_rng(seed)
    for category, family in enumerate(rng.permutation(FAMILIES)[:categories]):
        writer = _CategoryWriter(folder / str(family))
        if same_product:
            product_seed = np.random.SeedSequence(seed, spawn_key=(category,))
            _write_product(writer, product_seed, str(family), images, size, advance)
            continue
        for number in range(images):
            # Three scenes, so that no defective image has a clean counterpart.
            first = (category * images + number) * 3
            train, test, defective = (
                generate(seed, first + scene, size, [str(family)]) for scene in range(3)
            )
            name = f"{number:03d}"
            writer.write_good("train", name, train.clean)
            writer.write_good("test", name, test.clean)
            writer.write_defective(defective.defect, name, defective.defective, defective.mask)
            for _ in range(3):
                advance()


def _write_product(
    writer: _CategoryWriter,
    seed: np.random.SeedSequence,
    family: str,
    images: int,
    size: int,
    advance: Callable[[], None],
) -> None:
    """Write the images of one product.

    Raises:
        DatasetError: if `size` is too small.
    """
    if size < MIN_SIDE:
        raise DatasetError(f"`size` must be at least {MIN_SIDE} pixels, not {size}.")
    rng = np.random.default_rng(seed)
    view = views_of(rng, size, family)
    for number in range(images):
        name = f"{number:03d}"
        for part in ("train", "test"):
            writer.write_good(part, name, photograph(view(rng), rng))
            advance()
        pixels, mask, defect = defective(view, rng)
        writer.write_defective(defect, name, pixels, mask)
        advance()


def synthesize_from(
    normal: Sequence[tuple[Path, str]],
    folder: Path,
    category: str,
    *,
    images: int,
    seed: int,
    warn: Callable[[str], None],
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Plant defects into a user's own normal images, at their own size.

    The images go alternately to `train/good` and `test/good`; defects are planted into all of them
    in turn.

    Args:
        normal: paths and names of the images.
        folder: destination; must be empty or missing.
        category: name of the category.
        images: number of defective images to write.
        seed: random seed of the defects.
        warn: called with a message for each unusable image, which is skipped.
        advance: called after each image.

    Raises:
        UsageError: if the folder is not empty or cannot be written.
        DatasetError: if none of the images can be used.
    """
    _make_empty(folder)
    writer = _CategoryWriter(folder / category)
    usable: list[tuple[Path, str]] = []
    for path, name in normal:
        try:
            pixels = _read_usable(path)
        except ImageError as error:
            warn(f"{path}: {error}")
        else:
            part = "train" if len(usable) % 2 else "test"
            # Numbered, because images in different subfolders may have the same name.
            stem = f"{len(usable):04d}_{PurePosixPath(name).stem[:_MAX_STEM_LENGTH]}"
            writer.write_good(part, stem, pixels)
            usable.append((path, stem))
        advance()
    if not usable:
        raise DatasetError(
            "None of the normal images can be used; see the warnings for the reasons."
        )
    rng = np.random.default_rng(seed)
    for number in range(images):
        path, name = usable[number % len(usable)]
        defect = str(rng.choice(COMMON_KINDS))
        defective, mask = plant_defect(_read_usable(path), rng, defect)
        repeat = number // len(usable)
        writer.write_defective(defect, f"{name}_{repeat}" if repeat else name, defective, mask)
        advance()


def _make_empty(folder: Path) -> None:
    """Create a folder, or accept an existing empty one."""
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if next(_visible(folder), None) is not None:
            raise UsageError(f"{folder} is not empty; choose another folder.")


class _CategoryWriter:
    """Writer of one category in MVTec's layout."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write_good(self, part: str, name: str, pixels: Pixels) -> None:
        save_picture(self._folder / part / "good" / f"{name}.png", pixels)

    def write_defective(
        self, defect: str, name: str, pixels: Pixels, mask: NDArray[np.bool_]
    ) -> None:
        save_picture(self._folder / "test" / defect / f"{name}.png", pixels)
        white = np.where(mask, 255, 0).astype(np.uint8)
        save_picture(self._folder / "ground_truth" / defect / f"{name}_mask.png", white)


def _read_usable(path: Path) -> Pixels:
    pixels = decode(path).pixels
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(
            f"The image has {width} x {height} pixels, but a defect requires at least "
            f"{MIN_SIDE} x {MIN_SIDE}."
        )
    return pixels


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))
