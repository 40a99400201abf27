"""The 14 datasets as dummies: real folder and file names, with the same tiny image in each file."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

from PIL import Image

LISTS = Path(__file__).parents[1] / "data" / "datasets"

FOLDERS = {
    "mvtec": "MVTec", "visa": "VisA", "btad": "BTAD", "rsdd": "RSDD",
    "dtd-synthetic": "DTD-Synthetic", "brain": "Brain", "liver": "Liver", "retina": "Retina",
    "headct": "headct", "colondb": "Colon_colonDB", "clinicdb": "Colon_clinicDB",
    "cvc300": "Colon_cvc300", "kvasir": "Colon_Kvasir", "endo": "Endo",
}  # fmt: skip

# Files that downloads and operating systems add to the images of the test split.
STRAYS = (
    "license.txt", "readme.txt", ".DS_Store", "Thumbs.db", "test/.DS_Store", "images/.DS_Store",
    "masks/Thumbs.db", "bottle/license.txt", "bottle/train/good/000.png", "bottle/test/._000.png",
    "bottle/test/good/._000.png", "bottle/test/good/Thumbs.db", "bottle/test/stray.png",
    "01/train/ok/0000.bmp", "Metal15/train/good/1.bmp", "backup/test/good/000.png",
    "Metal14/test/good/1.bmp", "Blotchy_099/train/good/000.png", "train/good/img/1.png",
    "valid/Ungood/img/1.png", "valid/Ungood/label/1.png", "test/good/label/1.png",
    "train dataset/images/1.jpg", "candle/Data/Images/Normal/9999.JPG",
    "candle/image_anno.csv", "images/notes.csv", "test/good/img/.DS_Store",
)  # fmt: skip


def rows(name: str) -> list[dict]:
    """The authors' list of a dataset."""
    with gzip.open(LISTS / f"{FOLDERS[name]}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def build(name: str, data_root: Path, *, strays: bool = True, limit: int | None = None) -> Path:
    """Create the folder of a dataset in `data_root`: its first rows, and stray files among them."""
    folder = data_root / FOLDERS[name]
    listed = rows(name)[:limit]
    picture = data_root / "picture.png"
    if not picture.exists():
        data_root.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(picture)
    names = [row[key] for row in listed for key in ("image_path", "mask_path") if key in row]
    made = set()
    for path in (folder / name for name in (*names, *(STRAYS if strays else ()))):
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        os.link(picture, path)
    if name == "visa":
        _write_split(folder, listed)
    return folder


def _write_split(folder: Path, listed: list[dict]) -> None:
    """Write VisA's table, with the rows of the test split among those of the training split."""
    table = folder / "split_csv" / "1cls.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["object", "split", "label", "image", "mask"])
        for row in listed:
            label = "anomaly" if row["label"] else "normal"
            kind, image, mask = row["class_name"], row["image_path"], row.get("mask_path", "")
            writer.writerow([kind, "train", "normal", f"{kind}/Data/Images/Normal/x.JPG", ""])
            writer.writerow([kind, "test", label, image, mask])
