"""The files of a run, to compare with those of another one."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import torch

_TIME = re.compile(rb"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d)?")


def content(folder: Path) -> dict[str, bytes]:
    """The files of the output folder without times, speeds and the run card."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.startswith((".", "run.json")):
            found[name] = _TIME.sub(b"TIME", path.read_bytes())
    if "metrics.csv" in found:
        found["metrics.csv"] = "\n".join(_without_speed(folder / "metrics.csv")).encode()
    if "state.pt" in found:
        found["state.pt"] = _plain(torch.load(folder / "state.pt", weights_only=True))
    if "inputs.jsonl" in found:  # a score report has no thumbnails of earlier runs
        found.pop("report.html", None)
    return found


def auroc(scores: Sequence[tuple[float, bool]]) -> float:
    """Image AUROC in percent of (score, anomalous) pairs."""
    good = [score for score, anomalous in scores if not anomalous]
    bad = [score for score, anomalous in scores if anomalous]
    wins = [(one > other) + (one == other) / 2 for one in bad for other in good]
    return 100 * sum(wins) / len(wins)


def scored(table: Path = Path("moeclip-out/results.csv")) -> list[tuple[float, bool]]:
    """Score of each image of a results table, and whether its path says that it is bad."""
    with table.open(encoding="utf-8", newline="") as stream:
        return [(float(row["score"]), "bad" in row["path"]) for row in csv.DictReader(stream)]


def _without_speed(path: Path) -> list[str]:
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [str({**row, "images_per_second": None}) for row in rows]


def _plain(state) -> bytes:
    """A state as bytes that do not depend on where its tensors were."""
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    if isinstance(state, dict):
        return b"".join(str(name).encode() + _plain(value) for name, value in state.items())
    return repr(state).encode()
