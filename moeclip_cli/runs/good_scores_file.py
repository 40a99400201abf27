"""`good_scores.json`: the scores of good parts that a run used, for other thresholds later."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from moeclip_cli.bounded_text import read_small_text
from moeclip_cli.checkpoints.configuration import read_record
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.files import is_present, replacing
from moeclip_cli.inspection.good_scores import GoodScores

GOOD_SCORES = "good_scores.json"


def write_good_scores(folder: Path, good: GoodScores) -> None:
    """Write the file into an output folder; without scores there is none.

    Raises:
        UsageError: if the file cannot be written.
    """
    if good.scores:
        with replacing(folder / GOOD_SCORES) as stream:
            stream.write(f"{json.dumps(asdict(good))}\n".encode())


def read_good_scores(folder: Path) -> GoodScores:
    """The good scores of a run; none without the file.

    Raises:
        UsageError: if the file cannot be read or is damaged.
    """
    path = folder / GOOD_SCORES
    if not is_present(path):
        return GoodScores()
    try:
        text = read_small_text(path, "good scores")
        found: GoodScores = read_record(GoodScores, json.loads(text), "")
    except (ModelError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged; score the images again.") from error
    return found
