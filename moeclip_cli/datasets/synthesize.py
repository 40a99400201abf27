"""Writing a dataset with planted defects, in MVTec's layout.

CATEGORY/train/good/000.png            CATEGORY/test/good/000.png
CATEGORY/test/DEFECT/000.png           CATEGORY/ground_truth/DEFECT/000_mask.png
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.datasets.synthetic import COMMON_KINDS, FAMILIES, generate, plant_defect
from moeclip_cli.errors import DatasetError, ImageError, UsageError
from moeclip_cli.images.decode import decode
from moeclip_cli.reports.files import write_errors
from moeclip_cli.reports.pictures import save_picture

Pixels = NDArray[np.uint8]

# Below this a picture has no room for a defect.
_SMALLEST_SIDE = 32
_LONGEST_STEM = 60


def synthesize(
    folder: Path,
    *,
    categories: int,
    images: int,
    size: int,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write generated categories, each a family of textures, parts or panels.

    Args:
        folder: where; must be empty or missing.
        categories: how many.
        images: of each kind in a category: good ones to train on, good ones and defective ones to
            test on.
        size: side of the pictures in pixels.
        seed: which pictures.
        advance: called after each picture.

    Raises:
        UsageError: if the folder is not empty or cannot be written, or a number is out of range.
        DatasetError: if the pictures would be too small.
    """
    if not 1 <= categories <= len(FAMILIES):
        raise UsageError(f"--categories must be between 1 and {len(FAMILIES)}, not {categories}.")
    claim_empty(folder)
    rng = np.random.default_rng(seed)
    for category, family in enumerate(rng.permutation(FAMILIES)[:categories]):
        writer = _Category(folder / str(family))
        for number in range(images):
            # Three scenes, so that no defective picture has a clean twin.
            first = (category * images + number) * 3
            good, tested, bad = (
                generate(seed, first + scene, size, [str(family)]) for scene in range(3)
            )
            name = f"{number:03d}"
            writer.good("train", name, good.clean)
            writer.good("test", name, tested.clean)
            writer.defective(bad.defect, name, bad.defective, bad.mask)
            for _ in range(3):
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

    Every second image goes to `train/good`, the others to `test/good`; defects are planted into
    all of them in turn.

    Args:
        normal: the images and their names.
        folder: where; must be empty or missing.
        category: what to call the one category.
        images: how many defective images to make.
        seed: which defects, and where.
        warn: told about an image that cannot be used; it is left out.
        advance: called after each picture.

    Raises:
        UsageError: if the folder is not empty or cannot be written.
        DatasetError: if none of the images can be used.
    """
    claim_empty(folder)
    writer = _Category(folder / category)
    usable: list[tuple[Path, str]] = []
    for path, name in normal:
        try:
            pixels = _usable(path)
        except ImageError as error:
            warn(f"{path}: {error}")
        else:
            part = "train" if len(usable) % 2 else "test"
            # Numbered, because images in different subfolders may share a name.
            stem = f"{len(usable):04d}_{PurePosixPath(name).stem[:_LONGEST_STEM]}"
            writer.good(part, stem, pixels)
            usable.append((path, stem))
        advance()
    if not usable:
        raise DatasetError("None of the normal images can be used; the warnings above say why.")
    rng = np.random.default_rng(seed)
    for number in range(images):
        path, name = usable[number % len(usable)]
        defect = str(rng.choice(COMMON_KINDS))
        defective, mask = plant_defect(_usable(path), rng, defect)
        repeat = number // len(usable)
        writer.defective(defect, f"{name}_{repeat}" if repeat else name, defective, mask)
        advance()


def claim_empty(folder: Path) -> None:
    """Make a folder, or accept an empty one.

    Raises:
        UsageError: if something is in it, or it cannot be made.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if next(_visible(folder), None) is not None:
            raise UsageError(f"{folder} is not empty; choose another folder.")


class _Category:
    """Writes one category."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def good(self, part: str, name: str, pixels: Pixels) -> None:
        save_picture(self._folder / part / "good" / f"{name}.png", pixels)

    def defective(self, defect: str, name: str, pixels: Pixels, mask: NDArray[np.bool_]) -> None:
        save_picture(self._folder / "test" / defect / f"{name}.png", pixels)
        white = np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
        save_picture(self._folder / "ground_truth" / defect / f"{name}_mask.png", white)


def _usable(path: Path) -> Pixels:
    pixels = decode(path).pixels
    height, width = pixels.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        raise ImageError(
            f"The image has {width} x {height} pixels, too few for a defect; "
            f"{_SMALLEST_SIDE} x {_SMALLEST_SIDE} are needed."
        )
    return pixels


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))
