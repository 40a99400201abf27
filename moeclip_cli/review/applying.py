"""Another threshold for the run, set in the background, as `moeclip recut` does it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.thresholds import AppliedThreshold, given_threshold
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.review.results import LiveResults
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.good_scores_file import read_good_scores
from moeclip_cli.runs.recut import REPORT, Change, recut


@dataclass(frozen=True)
class Applying:
    """How far a new threshold is.

    Attributes:
        state: "idle" before the first one.
        threshold: the new one.
        done: number of images that have their new verdicts.
        total: number of images.
        changed: number of verdicts that are others now.
        text: why the threshold was not applied.
    """

    state: Literal["idle", "working", "done", "failed"] = "idle"
    threshold: float = 0.0
    done: int = 0
    total: int = 0
    changed: int = 0
    text: str = ""


@dataclass(frozen=True)
class _Applied:
    """The latest change: of which run, to which threshold, and from which one."""

    started: Any
    threshold: float
    before: AppliedThreshold


class _StoppedError(Exception):
    """The server ends."""


class Applier:
    """Gives a run one threshold at a time. Thread-safe.

    Nothing of the run is changed until everything for the new threshold is ready.

    Args:
        results: the run.
        explain: the sentence about an exception.

    Attributes:
        progress: how far the latest threshold is.
    """

    def __init__(self, results: LiveResults, explain: Callable[[BaseException], str]) -> None:
        self.progress = Applying()
        self._results, self._explain = results, explain
        self._lock = threading.Lock()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._applied: _Applied | None = None

    @property
    def before(self) -> AppliedThreshold | None:
        """The threshold before the latest one; None if there is none, or the run has changed."""
        run, applied = self._results.run, self._applied
        if applied is None or applied.started != run.environment.get("started"):
            return None
        return applied.before if run.settings["threshold"] == applied.threshold else None

    def start(self, threshold: float, unsure: float | None, command: str) -> None:
        """Begin to apply a threshold.

        Args:
            threshold: in [0, 1]; the one before keeps its origin.
            unsure: lower threshold from which images are unsure; None for no band.
            command: the command line that does the same, for the run card.

        Raises:
            UsageError: if the run is not finished or has kept no maps, its folder cannot be
                written, another threshold is being applied, or `unsure` is not below the threshold.
        """
        wanted, before = given_threshold(threshold).with_unsure(unsure), self.before
        if before is not None and (before.value, before.unsure) == (threshold, unsure):
            wanted = before
        folder = self._results.folder
        run = FinishedRun.open(folder, unfinished=True)
        if run.card.get("state") != "finished":
            raise UsageError("The run must be finished first.")
        if not run.files.keep_maps:
            raise UsageError(
                "This run kept no maps: the regions of its images and its overlays would be lost. "
                "Use the command in a terminal if you can do without them."
            )
        if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise UsageError(
                f"{folder} cannot be written; change its permissions, or review a copy of it."
            )
        with self._lock:
            if self.progress.state == "working":
                raise UsageError("A threshold is being applied; wait for it.")
            self.progress = Applying("working", threshold, total=run.card["summary"]["images"])
            self._thread = threading.Thread(
                target=self._work, args=(run, wanted, command), name="moeclip-apply", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Give up what is being applied, unless its files are being put in place."""
        self._stopped = True
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self, run: FinishedRun, wanted: AppliedThreshold, command: str) -> None:
        # That of a run which compares its images is in the rows only.
        before = run.threshold or given_threshold(self._results.threshold)
        files = run.files
        try:
            change = Change(
                wanted,
                read_good_scores(run.folder),
                heatmaps=files.heatmaps,
                anomalous_only=files.heatmaps is not None and files.anomalous_only,
                report=(run.folder / REPORT).exists(),
            )
            found = recut(run, change, self._advance, workers=choose_workers(None), command=command)
        except _StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - the page is told
            self.progress = replace(self.progress, state="failed", text=self._explain(error))
            return
        self._applied = _Applied(run.environment.get("started"), wanted.value, before)
        changed = sum(found.changed.values())
        self.progress = replace(self.progress, state="done", changed=changed)

    def _advance(self, *image: object) -> None:
        if self._stopped:
            raise _StoppedError
        self.progress = replace(self.progress, done=self.progress.done + 1)
