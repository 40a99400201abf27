"""The published results of MoECLIP and six other methods (paper tables 1 and 2)."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from moeclip_cli.datasets.csv_rows import read_csv

MOECLIP = "MoECLIP"
_COLUMNS = ("level", "dataset", "method", "auroc", "ap")
# The paper's mean over datasets; a benchmark forms means over its own datasets instead.
_AVERAGE = "Average"

Published = dict[str, dict[str, float]]


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
