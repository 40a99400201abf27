"""Datasets for benchmarks, a few generated images and masks in every category, and the results."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from support.fake_datasets import FOLDERS, _write_split, rows

OUT = Path("moeclip-benchmark")
WIDTH, HEIGHT = 36, 28


def build_all(data_root: Path, *, per_label: int = 2, names: tuple[str, ...] = ()) -> Path:
    """Create the published datasets `names` (default: all 14) with generated images."""
    for name in names or FOLDERS:
        folder = data_root / FOLDERS[name]
        taken: Counter[tuple] = Counter()
        chosen = []
        for row in rows(name):
            variant = row["image_path"].split("/")[0] if name == "dtd-synthetic" else ""
            group = (row["class_name"], variant, row["label"])
            if taken[group] < per_label:
                taken[group] += 1
                chosen.append(row)
        for seed, row in enumerate(chosen):
            _draw(folder, row, seed)
        if name == "visa":
            _write_split(folder, chosen)
    return data_root


def add_training(categories: Path, *, images: int = 4) -> Path:
    """Add good training images to every category of a folder in MVTec's layout."""
    for number, folder in enumerate(sorted(categories.iterdir())):
        for seed in range(images):
            row = {"image_path": f"train/good/{seed:03d}.png", "label": 0}
            _draw(folder, row, 1000 + 50 * number + seed)
    return categories


def own_folder(folder: Path, *, per_label: int = 3, masks: bool = True) -> Path:
    """Create a folder of own data with good and bad images."""
    for seed in range(per_label):
        _draw(folder, {"image_path": f"good/{seed}.png", "label": 0}, seed)
        bad = {"image_path": f"bad/{seed}.png", "label": 1}
        if masks:
            bad["mask_path"] = f"masks/{seed}.png"
        _draw(folder, bad, 10 + seed)
    return folder


def read(out: Path = OUT) -> dict[str, Any]:
    """The results.json of a benchmark."""
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def find(out: Path = OUT, **wanted: Any) -> dict[str, Any]:
    """The values of the only line with these places."""
    (line,) = [
        line
        for line in read(out)["lines"]
        if all(line[name] == value for name, value in wanted.items())
    ]
    return line["values"]


def numbers(out: Path) -> dict[str, Any]:
    """All of the results.json of a benchmark but when and how it was made."""
    content = read(out)
    del content["card"]["environment"]
    return content


def _draw(folder: Path, row: dict, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 160, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    top, left = rng.integers(2, 14, 2)
    mask[top : top + 9, left : left + 11] = 255
    if row["label"]:
        pixels[mask > 0] = (230, 40, 30)
    _save(folder / row["image_path"], pixels)
    if "mask_path" in row:
        _save(folder / row["mask_path"], mask)


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
