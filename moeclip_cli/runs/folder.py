"""The output folder of a run: claimed once, never overwritten by accident, resumable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moeclip_cli.errors import UsageError
from moeclip_cli.reports.files import write_errors
from moeclip_cli.runs.run_card import RunCard, read_card

_OWN = ("results.csv", "results.jsonl", "results.parquet", "report.html", "heatmaps", "maps")


class RunFolder:
    """An output folder that a run has claimed.

    Attributes:
        path: the folder.
        card: its run card.
        resumed: whether it holds rows of an earlier run that are to be kept.
    """

    def __init__(self, path: Path, card: RunCard, *, resumed: bool) -> None:
        self.path = path
        self.resumed = resumed
        self.card = card

    @classmethod
    def claim(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        environment: Mapping[str, Any],
        *,
        overwrite: bool = False,
        resume: bool = False,
    ) -> RunFolder:
        """Claim `path` for a run.

        Args:
            path: the folder; made if missing.
            settings: everything that decides what the rows say; must be equal to resume.
            environment: what else the card records: versions, device, command line.
            overwrite: replace what an earlier run left there.
            resume: keep the rows of an earlier run and go on.

        Raises:
            UsageError: if an earlier run's results are in the way, or are to be resumed with other
                settings.
        """
        earlier = read_card(path)
        resumed = False
        if resume and earlier is not None:
            _require_equal(path, earlier.get("settings", {}), dict(settings))
            resumed = True
        elif overwrite:
            _remove_results(path, own=earlier is not None)
        elif earlier is not None or any((path / name).exists() for name in _OWN):
            unfinished = earlier is not None and earlier.get("state") != "finished"
            how = "an unfinished run" if unfinished else "the results of an earlier run"
            raise UsageError(
                f"{path} holds {how}; use --resume to go on with it, --overwrite to replace it, "
                "or another --out."
            )
        return cls(path, RunCard(path, settings, environment), resumed=resumed)


def _require_equal(path: Path, before: Mapping[str, Any], now: dict[str, Any]) -> None:
    now = json.loads(json.dumps(now))  # as the card would hold it
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise UsageError(
                f"The run in {path} cannot be resumed: its {key.replace('_', ' ')} was "
                f"{before.get(key)}, now it is {now.get(key)}; "
                "give the same settings, use --overwrite or another --out."
            )


def _remove_results(path: Path, *, own: bool) -> None:
    """Remove what an earlier run left; folders only if it certainly was one of ours."""
    with write_errors(path):
        for name in _OWN:
            target = path / name
            if target.is_file():
                target.unlink()
            elif own and target.is_dir():
                shutil.rmtree(target)
