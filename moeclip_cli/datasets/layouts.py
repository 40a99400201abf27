"""Folder layouts of the published datasets, one function per layout.

Each function takes the folder, the names of the dataset's categories and a flag that tells if the
dataset has masks, and returns the test split in that folder, with the normal images of the training
split. A folder in another layout yields no samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.datasets.csv_rows import read_csv
from moeclip_cli.datasets.dataset import Sample
from moeclip_cli.datasets.folders import (
    Listing,
    anomalous_images,
    normal_images,
    subfolders,
    training_images,
)
from moeclip_cli.datasets.index import Index, Problem
from moeclip_cli.errors import DatasetError

NORMAL_FOLDERS = frozenset({"good", "ok", "normal"})

_VISA_LABELS = {"normal": 0, "anomaly": 1}


@dataclass(frozen=True)
class Layout:
    """A folder layout.

    Attributes:
        index: function (folder, categories, masks) that returns the samples.
        expects: folders and files that it looks for, for messages.
    """

    index: Callable[[Path, Sequence[str], bool], Index]
    expects: str


def mvtec_category(
    folder: Path, category: str, *, masks: bool, variant: str | None = None
) -> Index:
    """Index one category in MVTec's layout: `test/good`, `test/DEFECT`, `ground_truth/DEFECT`.

    `ok` and `normal` are accepted for `good`; every other folder in `test` is a type of defect. The
    training split is in `train/good`.
    """
    parts = [
        training_images(images, category, variant)
        for images in subfolders(folder / "train")
        if images.name.casefold() in NORMAL_FOLDERS
    ]
    for images in subfolders(folder / "test"):
        if images.name.casefold() in NORMAL_FOLDERS:
            parts.append(normal_images(images, category, variant))
        else:
            truth = folder / "ground_truth" / images.name if masks else None
            parts.append(anomalous_images(images, truth, category, variant))
    return Index.joined(parts)


def _single_category(folder: Path, categories: Sequence[str], masks: bool) -> Index:
    return mvtec_category(folder, categories[0], masks=masks)


def _category_folders(folder: Path, categories: Sequence[str], masks: bool) -> Index:
    return Index.joined(
        mvtec_category(child, child.name, masks=masks)
        for child in subfolders(folder)
        if child.name in categories
    )


def _variant_folders(folder: Path, categories: Sequence[str], masks: bool) -> Index:
    """Index folders named CATEGORY_NUMBER, each of which is evaluated separately."""
    parts = []
    for child in subfolders(folder):
        category = child.name.rpartition("_")[0]
        if category in categories:
            parts.append(mvtec_category(child, category, masks=masks, variant=child.name))
    return Index.joined(parts)


def _good_and_ungood(folder: Path, categories: Sequence[str], masks: bool) -> Index:
    """Index the layout of the medical benchmark BMAD."""
    ungood = folder / "test" / "Ungood"
    return Index.joined(
        [
            training_images(folder / "train" / "good", categories[0]),
            training_images(folder / "train" / "good" / "img", categories[0]),
            normal_images(folder / "test" / "good" / "img", categories[0]),
            anomalous_images(ungood / "img", ungood / "label" if masks else None, categories[0]),
        ]
    )


def _images_and_masks(folder: Path, categories: Sequence[str], masks: bool) -> Index:
    """Index anomalous images only, as in segmentation datasets."""
    truth = folder / "masks" if masks else None
    return anomalous_images(folder / "images", truth, categories[0])


def _visa_table(folder: Path, categories: Sequence[str], masks: bool) -> Index:
    """Index VisA's raw release, whose split is a CSV table."""
    table = folder / "split_csv" / "1cls.csv"
    if not table.is_file():
        return Index()
    listing = Listing()
    parts = []
    for line, row in read_csv(table, ("object", "split", "label", "image", "mask")):
        if row["object"] not in categories:
            continue
        if row["split"] == "train" and row["label"] == "normal":
            image = listing.find(folder / row["image"])
            # Not a problem if it is missing: only the test split is needed to evaluate.
            if image is not None:
                parts.append(Index(training=(Sample(image, 0, row["object"]),)))
        if row["split"] != "test":
            continue
        if row["label"] not in _VISA_LABELS:
            raise DatasetError(
                f"Line {line} of {table} has an unknown label '{row['label']}'; use the file from "
                "the raw release of VisA."
            )
        label = _VISA_LABELS[row["label"]]
        mask = folder / row["mask"] if masks and row["mask"] else None
        sample = Sample(folder / row["image"], label, row["object"], mask)
        parts.append(listing.index(sample))
        if masks and label and mask is None:
            parts.append(Index(problems=(Problem("unpaired", sample.image, "no mask is listed"),)))
    return Index.joined(parts)


MVTEC = Layout(_category_folders, "CATEGORY/test/good and CATEGORY/test/DEFECT")
MVTEC_SINGLE = Layout(_single_category, "test/good and a folder in test for each defect")
MVTEC_VARIANTS = Layout(_variant_folders, "CATEGORY_NUMBER/test/good and CATEGORY_NUMBER/test/bad")
VISA = Layout(_visa_table, "split_csv/1cls.csv of the raw release and the files that it lists")
BMAD = Layout(_good_and_ungood, "test/good/img, test/Ungood/img and test/Ungood/label")
IMAGES_AND_MASKS = Layout(_images_and_masks, "images and masks")
