"""Published results: MoECLIP and six other methods (paper tables 1 and 2), and others' claims.

The latter are of methods that compare images with good ones or with each other. Their numbers are
those of their own papers, measured by different protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Literal

from moeclip_cli.datasets.csv_rows import read_csv

MOECLIP = "MoECLIP"
ANOMALY_DINO = "AnomalyDINO (DINOv2 ViT-S/14, 448 px)"
"""The method with the same backbone and input size as the built-in tower."""
ANOMALY_DINO_BATCHED = "AnomalyDINO batched (DINOv2 ViT-S/14, 448 px)"
"""The same, where the test images are compared with each other."""
_COLUMNS = ("level", "dataset", "method", "auroc", "ap")
_CLAIM_COLUMNS = (
    "setting", "method", "backbone", "pixels", "dataset", "shots", "image_auroc", "source",
)  # fmt: skip
# The paper's mean over datasets; a benchmark forms means over its own datasets instead.
_AVERAGE = "Average"

Published = dict[str, dict[str, float]]

Setting = Literal["few-shot", "full-shot", "mutual"]
"""What a method compares images with: a few good images, all good images of the training split, or
the other test images."""
_SETTINGS: dict[str, Setting] = {
    "few-shot": "few-shot", "full-shot": "full-shot", "mutual": "mutual",
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A result of a method that compares images, as its paper states it.

    Attributes:
        setting: what the method compares images with.
        method: its name, with backbone and input size where they are known.
        dataset: title of the dataset.
        shots: number of good images in the setting "few-shot".
        image_auroc: in percent.
        source: authors, title and place of the paper.
    """

    setting: Setting
    method: str
    dataset: str
    shots: int | None
    image_auroc: float
    source: str


@cache
def published_results() -> dict[str, Published]:
    """Method -> title of a dataset -> metric name of `results.METRICS` -> percent.

    MoECLIP comes first, followed by the other methods in the paper's order.
    """
    table: dict[str, Published] = {MOECLIP: {}}
    with as_file(files("moeclip_cli.evaluation") / "paper_table.csv") as path:
        for _, row in read_csv(path, _COLUMNS):
            if row["dataset"] == _AVERAGE:
                continue
            values = table.setdefault(row["method"], {}).setdefault(row["dataset"], {})
            for metric in ("auroc", "ap"):
                values[f"{row['level']}_{metric}"] = float(row[metric])
    return table


@cache
def published_claims() -> tuple[Claim, ...]:
    """Results of few-shot, full-shot and mutual methods on MVTec and VisA."""
    with as_file(files("moeclip_cli.evaluation") / "comparison_table.csv") as path:
        return tuple(_claim(row) for _, row in read_csv(path, _CLAIM_COLUMNS))


def _claim(row: dict[str, str]) -> Claim:
    return Claim(
        setting=_SETTINGS[row["setting"]],
        method=_label(row),
        dataset=row["dataset"],
        shots=int(row["shots"]) if row["shots"] else None,
        image_auroc=float(row["image_auroc"]),
        source=row["source"],
    )


def _label(row: dict[str, str]) -> str:
    details = [row["backbone"]] if row["backbone"] else []
    if row["pixels"]:
        details.append(f"{row['pixels']} px")
    return f"{row['method']} ({', '.join(details)})" if details else row["method"]
