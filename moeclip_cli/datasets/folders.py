"""Folders of a dataset: listing them, and pairing images with masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.index import Index, Problem
from moeclip_cli.discovery.extensions import is_image_name
from moeclip_cli.discovery.walk import natural_key
from moeclip_cli.errors import DatasetError

_MASK_SUFFIX = "_mask"


def image_files(folder: Path) -> list[Path]:
    """List the files with an image extension directly in a folder, in natural order.

    A folder that does not exist has none.

    Raises:
        DatasetError: if the folder cannot be listed.
    """
    names = sorted((name for name in _names(folder) if is_image_name(name)), key=natural_key)
    return [folder / name for name in names]


def subfolders(folder: Path) -> list[Path]:
    """List the folders directly in a folder, except hidden ones, in natural order.

    A folder that does not exist has none.

    Raises:
        DatasetError: if the folder cannot be listed.
    """
    names = sorted((name for name in _names(folder) if not name.startswith(".")), key=natural_key)
    try:
        return [folder / name for name in names if (folder / name).is_dir()]
    except OSError as error:
        raise _cannot_list(folder, error) from error


def normal_images(folder: Path, category: str, variant: str | None = None) -> Index:
    """Index the images of a folder as normal images."""
    images = image_files(folder)
    return Index(tuple(Sample(image, 0, category, variant=variant) for image in images))


def training_images(folder: Path, category: str, variant: str | None = None) -> Index:
    """Index the images of a folder as normal images of the training split."""
    return Index(training=normal_images(folder, category, variant).samples)


def anomalous_images(
    folder: Path, masks: Path | None, category: str, variant: str | None = None
) -> Index:
    """Index the images of a folder as anomalous images, with their masks.

    The mask of `NAME.png` is `NAME` or `NAME_mask` with any image extension; the stem must match
    exactly. An image without a mask, or with several, is a problem.

    Args:
        folder: folder of the images.
        masks: folder of the masks; None if there are none.
        category: category of the samples.
        variant: variant of the samples.
    """
    images = image_files(folder)
    unmasked = Index(tuple(Sample(image, 1, category, None, variant) for image in images))
    if masks is None or not images:
        return unmasked
    by_stem = _by_stem(masks)
    if not by_stem:
        problem = Problem("missing", masks, _no_masks(images))
        return replace(unmasked, problems=(problem,))
    paired = Index.joined(_paired(sample, by_stem, masks) for sample in unmasked.samples)
    used = {stem for image in images for stem in _mask_stems(image)}
    spare = [path for stem, paths in by_stem.items() if stem not in used for path in paths]
    return replace(paired, spare_masks=tuple(spare))


def _no_masks(images: Sequence[Path]) -> str:
    if len(images) == 1:
        return f"there is no mask for {images[0].name}"
    return f"there are no masks for {len(images)} images (the first is {images[0].name})"


def _paired(sample: Sample, by_stem: Mapping[str, list[Path]], masks: Path) -> Index:
    """Pair a sample with its mask among `by_stem`, the masks in the folder `masks`."""
    candidates = [path for stem in _mask_stems(sample.image) for path in by_stem.get(stem, ())]
    if len(candidates) == 1:
        return Index((replace(sample, mask=candidates[0]),))
    names = " and ".join(path.name for path in candidates)
    message = f"{names} could each be its mask" if names else f"it has no mask in {masks}"
    return Index((sample,), (Problem("unpaired", sample.image, message),))


def _mask_stems(image: Path) -> tuple[str, str]:
    return image.stem, image.stem + _MASK_SUFFIX


class Listing:
    """Lookup of listed files that lists each folder only once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, str]] = {}

    def find(self, path: Path) -> Path | None:
        """Return the file at `path`, ignoring the case of its extension; None if it is missing."""
        folder = path.parent
        if folder not in self._folders:
            names = _names(folder)
            lowered = {_lower_extension(name): name for name in names}
            self._folders[folder] = lowered | {name: name for name in names}
        by_name = self._folders[folder]
        name = by_name.get(path.name) or by_name.get(_lower_extension(path.name))
        return None if name is None else folder / name

    def index(self, sample: Sample) -> Index:
        """Index a listed sample by its file names on disk, or report which file is missing."""
        image = self.find(sample.image)
        if image is None:
            missing = Problem("missing", sample.image, "the image is listed, but does not exist")
            return Index(problems=(missing,))
        if sample.mask is None:
            return Index((replace(sample, image=image),))
        mask = self.find(sample.mask)
        missing = Problem("missing", sample.mask, "the mask is listed, but does not exist")
        return Index((replace(sample, image=image, mask=mask),), () if mask else (missing,))


def _lower_extension(name: str) -> str:
    path = PurePath(name)
    return path.stem + path.suffix.lower()


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    stems = defaultdict(list)
    for path in image_files(folder):
        stems[path.stem].append(path)
    return stems


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: NUL in the path
        return []
    except OSError as error:
        raise _cannot_list(folder, error) from error


def _cannot_list(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(f"Cannot list the folder {folder}: {error.strerror}.")
