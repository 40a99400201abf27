"""Manifests: CSV or JSONL files that list the images of a dataset, one per row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moeclip_cli.datasets.csv_rows import read_csv
from moeclip_cli.datasets.dataset import COLUMNS, Sample
from moeclip_cli.datasets.folders import Listing
from moeclip_cli.datasets.index import Index
from moeclip_cli.errors import DatasetError

DEFAULT_CATEGORY = "object"
"""Category of images for which the manifest names none."""

_REQUIRED, _OPTIONAL = COLUMNS[:2], COLUMNS[2:]
# A label may be a JSON number, of which 1 and 1.0 are equal.
_LABELS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}


def read_manifest(path: Path) -> Index:
    """Index the samples that a manifest lists.

    Its columns (CSV) or keys (JSONL) are `image_path` and `label` (0 or 1), and optionally
    `class_name` and `mask_path`. Paths are absolute or relative to the manifest's folder.

    Args:
        path: a file with the extension .csv or .jsonl.

    Raises:
        DatasetError: if the file cannot be read or a row is invalid.
    """
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(
            f"{path} is not a dataset; use a folder, or a manifest that ends with .csv or .jsonl."
        )
    listing = Listing()
    lines: dict[Path, int] = {}
    parts = []
    for line, row in reader(path):
        sample = _sample(path, line, row)
        earlier = lines.setdefault(sample.image, line)
        if earlier != line:
            raise DatasetError(
                f"Lines {earlier} and {line} of {path} list the same image {row['image_path']}; "
                "remove one of them."
            )
        parts.append(listing.index(sample))
    if not parts:
        raise DatasetError(f"{path} lists no images; add a row for each image.")
    return Index.joined(parts)


def _sample(path: Path, line: int, row: dict[str, Any]) -> Sample:
    for name, value in row.items():
        if not isinstance(value, str) and (name != "label" or isinstance(value, list | dict)):
            raise DatasetError(f"Line {line} of {path}: {name} must be text, not {value!r}.")
    label = _LABELS.get(str(row["label"]).strip())
    if label is None:
        raise DatasetError(
            f"Line {line} of {path}: label must be 0 (normal) or 1 (anomalous), "
            f"not {row['label']!r}."
        )
    if not row["image_path"]:
        raise DatasetError(f"Line {line} of {path}: image_path is empty; name an image.")
    mask = row.get("mask_path")
    return Sample(
        path.parent / row["image_path"],
        label,
        row.get("class_name") or DEFAULT_CATEGORY,
        path.parent / mask if mask else None,
    )


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    return read_csv(path, _REQUIRED, _OPTIONAL)


def _jsonl_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _jsonl_row(path, number, line)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not encoded in UTF-8; save it as UTF-8.") from error


def _jsonl_row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"Line {number} of {path} is not valid JSON: {error}.") from error
    if not isinstance(row, dict):
        raise DatasetError(f"Line {number} of {path} is not a JSON object.")
    row = {name: value for name, value in row.items() if value is not None}
    for name in _REQUIRED:
        if name not in row:
            raise DatasetError(f"Line {number} of {path} has no {name}.")
    for name in row:
        if name not in COLUMNS:
            raise DatasetError(
                f"Line {number} of {path} has an unknown key '{name}'; use {', '.join(COLUMNS)}."
            )
    return row
