"""The rows of a run, read again whenever the run has written more."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moeclip_cli.errors import UsageError
from moeclip_cli.files import size_and_time
from moeclip_cli.inspection.result import Row
from moeclip_cli.inspection.verdicts import Threshold
from moeclip_cli.reports.tables.base import TextTable
from moeclip_cli.reports.tables.cells import readable
from moeclip_cli.reports.tables.control_characters import escape_controls
from moeclip_cli.reports.tables.results_table import growing_table
from moeclip_cli.review.tail import Tail
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.input_log import INPUTS, InputRecord
from moeclip_cli.runs.lock import is_locked
from moeclip_cli.runs.run_card import CARD

_LOCK_SECONDS = 5.0


@dataclass(frozen=True)
class ReviewedImage:
    """An image of the run.

    Attributes:
        number: stands for the image as long as the server runs, wherever its row is.
        row: its row in the table.
        record: the state of its file when it was scored; None if the run has not noted it.
    """

    number: int
    row: Row
    record: InputRecord | None

    def to_list(self) -> list[Any]:
        """What the page shows of it, in JSON types; `IMAGE_FIELDS` names the values."""
        row = self.row
        return [
            self.number,
            escape_controls(readable(row.path)),
            # A table has the shortest text; comparing with a threshold takes the number behind it.
            None if row.score is None else float(np.float32(row.score)),
            row.verdict,
            row.error,
            row.peak,
            row.area_fraction,
            row.regions,
            row.percentile,
            row.width,
            row.height,
        ]


IMAGE_FIELDS = (
    "number", "path", "score", "verdict", "error", "peak", "area", "regions", "percentile",
    "width", "height",
)  # fmt: skip
"""The names of the values of `ReviewedImage.to_list`."""


class LiveResults:
    """The images of a run that is finished or goes on. Thread-safe.

    Args:
        folder: the output folder of `moeclip score`.

    Attributes:
        run: settings and files of the run.
        epoch: changes whenever rows that were read before are void: a resumed run has sorted them,
            or another threshold was set.

    Raises:
        UsageError: if the folder is not one, or has no results, and no run is writing any.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.epoch = folder, 0
        self._lock = threading.Lock()
        # A path has several rows if its file was replaced while it was watched: their number from 0
        # is part of the key.
        self._numbers: dict[tuple[str, int], int] = {}
        self._images: dict[int, ReviewedImage] = {}
        self._rows_of: Counter[str] = Counter()
        self._records: dict[str, list[InputRecord]] = {}
        self._log = Tail(folder / INPUTS, _lines)
        self._tail: tuple[Path, Tail] | None = None
        self._whole: tuple[int, int] | None = None
        self._runs, self._ask_again = False, 0.0
        self.run = FinishedRun.open(folder, unfinished=True)
        self._card = size_and_time(folder / CARD)
        self.refresh()
        if not self._images and self.state != "running":
            raise UsageError(
                f"{folder} has no results yet; repeat its 'moeclip score' with --resume, or wait "
                "until it runs."
            )

    @property
    def state(self) -> str:
        """One of "finished", "running", and "interrupted" if no process continues the run."""
        if self.run.card.get("state") == "finished":
            return "finished"
        now = time.monotonic()
        if now >= self._ask_again:  # seldom, as a run that starts must not find it locked by us
            self._runs, self._ask_again = is_locked(self.folder), now + _LOCK_SECONDS
        return "running" if self._runs else "interrupted"

    @property
    def threshold(self) -> float:
        """The threshold of the verdicts, which a run that compares its images finds in the end."""
        threshold: float | None = self.run.settings["threshold"]
        if threshold is None:
            rows = (image.row.threshold for image in self.images())
            threshold = next((value for value in rows if value is not None), 0.5)
        return threshold

    @property
    def unsure(self) -> float | None:
        """The lower threshold of the run, from which images are unsure; None without a band."""
        unsure: float | None = self.run.settings.get("unsure_threshold")
        return unsure

    def threshold_at(self, value: float) -> Threshold:
        """Another upper threshold, with the band of the run below it."""
        unsure = self.unsure
        return Threshold(value, unsure=unsure if unsure is not None and unsure < value else None)

    def images(self, after: int = 0) -> list[ReviewedImage]:
        """The images in the order of the table, without the first `after` of them."""
        with self._lock:
            return list(self._images.values())[after:]

    def image(self, number: int) -> ReviewedImage | None:
        """The image with a number, if the table has it."""
        with self._lock:
            return self._images.get(number)

    def refresh(self) -> None:
        """Read what the run has written since the last time.

        Raises:
            UsageError: if the folder was removed, or its table is damaged.
            MissingExtraError: if the table takes a package that is not installed.
        """
        with self._lock:
            void = self._read_card()
            rows, replaced = self._new_rows()
            if void and not replaced:  # from its first row
                self._tail = self._whole = None
                rows, _ = self._new_rows()
            # After the rows: each is written after the record of its image.
            self._read_log()
            if void or replaced:
                self.epoch += 1
                self._images.clear()
                self._rows_of.clear()
            for row in rows:
                self._add(row)

    def _read_card(self) -> bool:
        """Read the run card if it has changed; True if it is that of other results."""
        state = size_and_time(self.folder / CARD)
        if state == self._card:
            return False
        before, self.run = self.run, FinishedRun.open(self.folder, unfinished=True)
        self._card = state
        return _identity(before) != _identity(self.run)

    def _new_rows(self) -> tuple[list[Row], bool]:
        """The rows since the last call, and whether all earlier ones are void."""
        found = growing_table(self.folder, self.run.settings["table_format"])
        if found is None:
            return self._finished_rows()
        kind, path = found
        other = self._tail is None or self._tail[0] != path
        if self._tail is None or other:
            _require_own(kind, path)
            self._tail = path, Tail(path, kind.split, skipped=len(kind.header))
        records, replaced = self._tail[1].new_records()
        try:
            return [kind.decode(record) for record in records], replaced or other
        except (ValueError, TypeError) as error:
            raise _damaged(path) from error

    def _finished_rows(self) -> tuple[list[Row], bool]:
        """The rows of a table that can only be read as a whole."""
        state = size_and_time(self.run.table)
        if state == self._whole:
            return [], False
        self._tail, self._whole = None, state
        return [] if state is None else list(self.run.rows()), True

    def _read_log(self) -> None:
        lines, replaced = self._log.new_records()
        if replaced:
            self._records.clear()
        for line in lines:
            try:
                record = InputRecord(**json.loads(line))
            except (ValueError, TypeError):  # a line that a killed process left
                continue
            self._records.setdefault(readable(record.path), []).append(record)

    def _add(self, row: Row) -> None:
        path = readable(row.path)
        before, records = self._rows_of[path], self._records.get(path, [])
        self._rows_of[path] += 1
        number = self._numbers.setdefault((path, before), len(self._numbers))
        record = records[before] if before < len(records) else None
        self._images[number] = ReviewedImage(number, row, record)


def _identity(run: FinishedRun) -> tuple[Any, ...]:
    """What differs between runs in one folder, and between thresholds of one run."""
    settings = run.settings
    return run.environment.get("started"), settings["threshold"], settings["table_format"]


def _lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.endswith(b"\n"))


def _require_own(kind: type[TextTable], path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(len(kind.opening))
    if not kind.opening.startswith(start):
        raise _damaged(path)


def _damaged(path: Path) -> UsageError:
    return UsageError(
        f"{path} is damaged or of another version of moeclip; score the images again."
    )
