"""Listing folders of a dataset, and pairing the images of one with the masks of another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath

from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.index import Index, Problem
from moeclip_cli.errors import DatasetError
from moeclip_cli.images.inputs import is_image_name
from moeclip_cli.images.walk import natural_key

_MASK_SUFFIX = "_mask"


def image_files(folder: Path) -> list[Path]:
    """The images directly in a folder, by extension, in natural order.

    Raises:
        DatasetError: if there is such a folder, but it cannot be listed.
    """
    names = sorted((name for name in _names(folder) if is_image_name(name)), key=natural_key)
    return [folder / name for name in names]


def subfolders(folder: Path) -> list[Path]:
    """The folders directly in a folder, but hidden ones, in natural order.

    Raises:
        DatasetError: if there is such a folder, but it cannot be listed.
    """
    names = sorted((name for name in _names(folder) if not name.startswith(".")), key=natural_key)
    try:
        return [folder / name for name in names if (folder / name).is_dir()]
    except OSError as error:
        raise _cannot_list(folder, error) from error


def normal_images(folder: Path, category: str, variant: str | None = None) -> Index:
    """The images of a folder, as normal ones."""
    images = image_files(folder)
    return Index(tuple(Sample(image, 0, category, variant=variant) for image in images))


def anomalous_images(
    folder: Path, masks: Path | None, category: str, variant: str | None = None
) -> Index:
    """The images of a folder, as anomalous ones, with their masks.

    The mask of `NAME.png` is `NAME` or `NAME_mask` with any image extension: the stem has to be
    exactly that. An image with no mask, or with several, is a problem.

    Args:
        folder: the images.
        masks: the masks; None if there are none.
        category: the samples' category.
        variant: the samples' variant.
    """
    images = image_files(folder)
    unmasked = Index(tuple(Sample(image, 1, category, None, variant) for image in images))
    if masks is None or not images:
        return unmasked
    by_stem = _by_stem(masks)
    if not by_stem:
        problem = Problem("missing", masks, f"no masks are here, for {len(images)} images")
        return replace(unmasked, problems=(problem,))
    paired = Index.joined(_paired(sample, by_stem, masks) for sample in unmasked.samples)
    wanted = {stem for image in images for stem in _mask_stems(image)}
    spare = [path for stem, paths in by_stem.items() if stem not in wanted for path in paths]
    return replace(paired, spare_masks=tuple(spare))


def _paired(sample: Sample, by_stem: Mapping[str, list[Path]], masks: Path) -> Index:
    """A sample with its mask among `by_stem`, the masks in the folder `masks`."""
    found = [path for stem in _mask_stems(sample.image) for path in by_stem.get(stem, ())]
    if len(found) == 1:
        return Index((replace(sample, mask=found[0]),))
    names = " and ".join(path.name for path in found)
    what = f"{names} could each be its mask" if found else f"it has no mask in {masks}"
    return Index((sample,), (Problem("unpaired", sample.image, what),))


def _mask_stems(image: Path) -> tuple[str, str]:
    return image.stem, image.stem + _MASK_SUFFIX


class Listing:
    """Looks up listed files, with one look into each folder."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, str]] = {}

    def find(self, path: Path) -> Path | None:
        """The file at `path`, or one whose name differs in the case of the extension alone."""
        folder = path.parent
        if folder not in self._folders:
            names = _names(folder)
            loose = {_loose(name): name for name in names}
            self._folders[folder] = loose | {name: name for name in names}
        names_here = self._folders[folder]
        name = names_here.get(path.name) or names_here.get(_loose(path.name))
        return None if name is None else folder / name

    def index(self, sample: Sample) -> Index:
        """A listed sample with its files as they are called on disk, or what is missing of it."""
        image = self.find(sample.image)
        if image is None:
            missing = Problem("missing", sample.image, "it is listed, but not there")
            return Index(problems=(missing,))
        if sample.mask is None:
            return Index((replace(sample, image=image),))
        mask = self.find(sample.mask)
        missing = Problem("missing", sample.mask, "this mask is listed, but not there")
        return Index((replace(sample, image=image, mask=mask),), () if mask else (missing,))


def _loose(name: str) -> str:
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
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no path has a NUL
        return []
    except OSError as error:
        raise _cannot_list(folder, error) from error


def _cannot_list(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(f"The folder {folder} cannot be listed: {error.strerror}.")
