"""A user's own folder of images, labelled by the names of its subfolders."""

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
    """Index the samples in a user's folder.

    The folder has one of these layouts:

    - a category in MVTec's layout: `test/good`, `test/DEFECT`, and masks in `ground_truth/DEFECT`;
    - a folder of such categories;
    - a folder of normal images, one of anomalous images and optionally one of masks, with names
      from `NORMAL_FOLDERS`, `ANOMALOUS_FOLDERS` and `MASK_FOLDERS` in upper or lower case.

    Raises:
        DatasetError: if the folder has none of these layouts or contains no images.
    """
    children = subfolders(folder)
    categories = [child for child in children if (child / "test").is_dir()]
    if (folder / "test").is_dir():
        return _index_category(folder)
    if categories:
        return Index.joined(_index_category(child) for child in categories)
    return _index_pair(folder, children)


def _index_category(folder: Path) -> Index:
    masks = (folder / "ground_truth").is_dir()
    index = mvtec_category(folder, folder.resolve().name, masks=masks)
    return _require_images(index, folder / "test")


def _index_pair(folder: Path, children: list[Path]) -> Index:
    normal, anomalous, masks = (
        [child for child in children if child.name.casefold() in names]
        for names in (NORMAL_FOLDERS, ANOMALOUS_FOLDERS, MASK_FOLDERS)
    )
    if not normal or not anomalous:
        raise DatasetError(
            f"The layout of {folder} is unknown; create subfolders named good and bad (and masks, "
            "if any), or test/good, test/DEFECT and ground_truth/DEFECT as in MVTec, or use a "
            "manifest (.csv or .jsonl)."
        )
    for synonyms in (normal, anomalous, masks):
        if len(synonyms) > 1:
            raise DatasetError(
                f"{folder} contains both {synonyms[0].name} and {synonyms[1].name}; keep one of "
                "them."
            )
    category = folder.resolve().name
    truth = masks[0] if masks else None
    return Index.joined(
        [
            _require_images(normal_images(normal[0], category), normal[0]),
            _require_images(anomalous_images(anomalous[0], truth, category), anomalous[0]),
        ]
    )


def _require_images(index: Index, folder: Path) -> Index:
    if not index.samples:
        raise DatasetError(f"{folder} contains no images; add PNG, JPEG, BMP or TIFF files.")
    return index
