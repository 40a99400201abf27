"""A user's own images, told apart by how their folders are called."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.datasets.folders import anomalous_images, normal_images, subfolders
from moeclip_cli.datasets.index import Index
from moeclip_cli.datasets.layouts import NORMAL_FOLDERS, mvtec_category
from moeclip_cli.errors import DatasetError

ANOMALOUS_FOLDERS = frozenset({
    "anomalous", "anomaly", "anomalies", "abnormal", "bad", "defect", "defects", "defective", "ko",
    "ng",
})  # fmt: skip
MASK_FOLDERS = frozenset({"masks", "mask", "ground_truth"})


def index_folder(folder: Path) -> Index:
    """The samples in a user's folder.

    It is one of these:

    - a category in MVTec's layout: `test/good`, `test/DEFECT`, and masks in `ground_truth/DEFECT`;
    - a folder of such categories;
    - a folder of normal images and one of anomalous images, perhaps a third of masks, called as in
      `NORMAL_FOLDERS`, `ANOMALOUS_FOLDERS` and `MASK_FOLDERS`, in upper or lower case.

    Raises:
        DatasetError: if it is none of these, or there are no images.
    """
    children = subfolders(folder)
    categories = [child for child in children if (child / "test").is_dir()]
    if (folder / "test").is_dir():
        return _category(folder)
    if categories:
        return Index.joined(_category(child) for child in categories)
    return _pair(folder, children)


def _category(folder: Path) -> Index:
    masks = (folder / "ground_truth").is_dir()
    index = mvtec_category(folder, folder.resolve().name, masks=masks)
    return _not_empty(index, folder / "test")


def _pair(folder: Path, children: list[Path]) -> Index:
    normal, anomalous, masks = (
        [child for child in children if child.name.casefold() in names]
        for names in (NORMAL_FOLDERS, ANOMALOUS_FOLDERS, MASK_FOLDERS)
    )
    if not normal or not anomalous:
        raise DatasetError(
            f"{folder} has no layout that is known; give it folders named good and bad (and "
            "masks, if any), or test/good, test/DEFECT and ground_truth/DEFECT as MVTec has, or "
            "name a manifest (.csv or .jsonl)."
        )
    for alike in (normal, anomalous, masks):
        if len(alike) > 1:
            raise DatasetError(
                f"{folder} has both {alike[0].name} and {alike[1].name}; keep one of them."
            )
    category = folder.resolve().name
    truth = masks[0] if masks else None
    return Index.joined(
        [
            _not_empty(normal_images(normal[0], category), normal[0]),
            _not_empty(anomalous_images(anomalous[0], truth, category), anomalous[0]),
        ]
    )


def _not_empty(index: Index, folder: Path) -> Index:
    if not index.samples:
        raise DatasetError(
            f"There are no images in {folder}; put them there, as PNG, JPEG, BMP or TIFF files."
        )
    return index
