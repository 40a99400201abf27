"""What runs of `moeclip score` and `moeclip benchmark` leave in their output folders."""

from __future__ import annotations

from pathlib import Path

from moeclip_cli.runs.folder import RunKind
from moeclip_cli.runs.good_scores_file import GOOD_SCORES
from moeclip_cli.runs.image_files import FOLDERS
from moeclip_cli.runs.input_log import INPUTS
from moeclip_cli.runs.region_run import COCO, FIFTYONE, FIFTYONE_FILES, TABLE
from moeclip_cli.runs.run_card import read_card

MUTUAL = "mutual"
"""Folder with what the comparison of each subset of images gave."""

RECUT = ".recut"
"""Folder in which `moeclip recut` prepares its files."""

CATEGORIES = "categories"
"""Folder with the results of finished categories."""

SCORE = RunKind(
    noun="run",
    setting="prompt",
    files=(
        "results.csv",
        "results.jsonl",
        "results.parquet",
        "results.xlsx",
        "report.html",
        INPUTS,
        GOOD_SCORES,
        TABLE,
        COCO,
        *FIFTYONE_FILES,
    ),
    folders=(*FOLDERS, FIFTYONE, MUTUAL, RECUT),
    may_differ=("reference_view_picture",),  # its digest tells
    how_to_resume="`resume` to continue it",
)

BENCHMARK = RunKind(
    noun="benchmark",
    setting="protocol",
    files=("results.json", "results.csv", "results.md", "report.html"),
    folders=(CATEGORIES,),
)


def continues_benchmark(path: Path, *, overwrite: bool) -> bool:
    """True if a benchmark in this folder goes on where an earlier one stopped.

    Raises:
        UsageError: if the folder cannot be entered.
    """
    return not overwrite and (read_card(path) or {}).get("state") == "running"
