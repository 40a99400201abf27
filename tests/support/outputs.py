"""The files of a run, to compare with those of another one."""

from __future__ import annotations

import csv
import re
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
