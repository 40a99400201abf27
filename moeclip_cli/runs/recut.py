"""`moeclip recut`: another threshold for a finished run, without its model.

New files are prepared in a subfolder. The old ones stay whole until all of them are complete.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moeclip_cli._version import __version__
from moeclip_cli.choices import PictureChoice
from moeclip_cli.discovery.remote import state_of
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.files import write_errors
from moeclip_cli.images.decode import decode
from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.recut import recut_result, recut_row
from moeclip_cli.inspection.result import Result, Row
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.inspection.verdicts import VERDICTS
from moeclip_cli.reports.pages.report_text import ReportText
from moeclip_cli.reports.pages.score_content import RunFacts
from moeclip_cli.reports.pages.score_report import ReportWriter, thumbnail_of
from moeclip_cli.reports.tables.results_table import open_table
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.folder import file_digests
from moeclip_cli.runs.good_scores_file import write_good_scores
from moeclip_cli.runs.image_files import HEATMAPS, ImageFiles
from moeclip_cli.runs.input_log import InputLog, InputRecord
from moeclip_cli.runs.kinds import RECUT, SCORE
from moeclip_cli.runs.lock import WriterLock
from moeclip_cli.runs.run_card import write_card
from moeclip_cli.runs.score_run import band_settings
from moeclip_cli.runs.summary import Summary

REPORT = "report.html"


@dataclass(frozen=True)
class Change:
    """What becomes of a run.

    Attributes:
        threshold: the new one.
        good: scores of good parts, which percentiles refer to.
        heatmaps: format of the overlays, or None for none.
        anomalous_only: whether only anomalous and unsure images get an overlay.
        report: whether to write `report.html`.
        text: what the user adds to the report; None for what the run has.
        verdicts_only: leave the columns of regions empty, which takes no maps.
    """

    threshold: AppliedThreshold
    good: GoodScores
    heatmaps: PictureChoice | None = None
    anomalous_only: bool = False
    report: bool = False
    text: ReportText | None = None
    verdicts_only: bool = False


@dataclass
class Recut:
    """What changed.

    Attributes:
        summary: counts and the most anomalous images at the new threshold.
        changed: number of changed verdicts by the new one.
        regions_at: the threshold of the regions; None if they are left empty.
    """

    summary: Summary = field(default_factory=Summary)
    changed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    regions_at: float | None = None


@dataclass(frozen=True)
class _Image:
    """An image at the new threshold.

    Attributes:
        row, record: its row and the record of its file.
        result: its result; None if there is no map, or no score.
        thumbnail: for the report; None if there is none, or the image cannot be read any more.
    """

    row: Row
    record: InputRecord
    result: Result | None = None
    thumbnail: bytes | None = None


def recut(
    run: FinishedRun,
    change: Change,
    observe: Callable[[Row, Result | None], None] = lambda row, result: None,
    *,
    workers: int,
    command: str,
    write: bool = True,
) -> Recut:
    """Give a finished run another threshold.

    Table, log of inputs, report, overlays and run card become those of a run with this threshold;
    see `recut_result` for how exact the regions are.

    Args:
        run: the run, in whose folder the files are replaced.
        change: what becomes of it.
        observe: called with each row, in order, and its result, which has the regions; None for an
            image that could not be read, and for all with `verdicts_only`.
        workers: threads for reading maps and drawing overlays.
        command: command line, for the run card.
        write: replace the files, not only count.

    Raises:
        UsageError: if another process is writing to the folder, maps or images are missing or have
            changed, or a file cannot be written.
    """
    with WriterLock.of_folder(run.folder), ExitStack() as stack:
        job = _Job(run, change, run.folder / RECUT)
        found = Recut(regions_at=job.require_inputs())
        if not write:
            for was, image in _in_order(job.image, run.records(), workers):
                _count(found, was, image.row)
                observe(image.row, image.result)
            return found
        job.clear()
        stack.callback(job.clear)
        with (
            open_table(job.draft, run.settings["table_format"], resume=False) as table,
            InputLog(job.draft, resume=False) as log,
            ExitStack() as report_stack,
        ):
            report = report_stack.enter_context(job.open_report()) if change.report else None
            for was, image in _in_order(job.image_with_files, run.records(), workers):
                _count(found, was, image.row)
                log.add(image.record)
                table.write([image.row])
                if report is not None:
                    job.add_to_report(report, image)
                observe(image.row, image.result)
        write_good_scores(job.draft, change.good)
        job.commit(found, command)
    return found


def report_facts(run: FinishedRun, change: Change) -> RunFacts:
    """The head of the report of a run at the new threshold."""
    settings, environment = run.settings, run.environment
    prompt = settings["prompt"]
    return RunFacts(
        model=settings["model"],
        prompt=f"{prompt}, and others by rule" if settings["prompt_rules"] else prompt,
        threshold=change.threshold,
        good_parts=len(change.good),
        device=environment["device"],
        started=datetime.fromisoformat(environment["started"]).astimezone(),
        version=__version__,
        text=_text(run, change),
    )


def _text(run: FinishedRun, change: Change) -> ReportText:
    return change.text or ReportText.of(run.environment.get("report", {}))


class _Job:
    """The files of a run at another threshold.

    Args:
        run: the run.
        change: what becomes of it.
        draft: folder in which files are prepared.
    """

    def __init__(self, run: FinishedRun, change: Change, draft: Path) -> None:
        self._run, self._change, self.draft = run, change, draft
        self._kept = run.files
        self._drawn = ImageFiles(
            draft,
            change.heatmaps,
            save_maps=False,
            anomalous_only=change.anomalous_only,
        )

    def require_inputs(self) -> float | None:
        """Refuse a run without what this takes, before anything is written.

        Returns:
            The threshold of the regions, see `recut_result`; None if they are left empty.

        Raises:
            UsageError: naming the first map or image that is missing or has changed; if the run
                has files of regions, which are not written again.
        """
        if self._kept.regions:
            raise UsageError(
                f"The run in {self._run.folder} has the files of --regions, which show one "
                "threshold only; score the images again with the new one."
            )
        scored = [record for _, record in self._run.records() if record.scored]
        if not self._change.verdicts_only:
            _require_maps(self._run.folder, self._kept, scored)
        if self._change.heatmaps is not None:
            _require_unchanged(self._run, scored)
        if self._change.verdicts_only or not scored:
            return None
        return self._map(scored[0]).nearest_mark(self._change.threshold.value)

    def clear(self) -> None:
        """Remove what was prepared, also by a killed process."""
        with write_errors(self.draft):
            if self.draft.exists():
                shutil.rmtree(self.draft)

    def open_report(self) -> ReportWriter:
        """The report, among the prepared files."""
        return ReportWriter(self.draft, report_facts(self._run, self._change))

    def image(self, row: Row, record: InputRecord) -> tuple[Row, _Image]:
        """The row of an image before, and the image at the new threshold."""
        record = replace(record, overlay=True)
        if row.score is None:
            return row, _Image(row, record)
        threshold, good = self._change.threshold, self._change.good
        exact = recut_row(row, threshold, row.percentile)
        percentile = good.percentile(exact.score or 0.0)
        if self._change.verdicts_only:
            return row, _Image(replace(exact, percentile=percentile), record)
        drawn = self._change.report or self._change.heatmaps is not None
        result = recut_result(
            row,
            threshold,
            percentile,
            self._map(record),
            drawn=drawn,
            roi=self._run.roi(record),
        )
        if self._drawn.anomalous_only and not self._drawn.wants_overlay(result):
            record = replace(record, overlay=self._drawn.heatmaps is None)
        return row, _Image(result.row(), record, result)

    def image_with_files(self, row: Row, record: InputRecord) -> tuple[Row, _Image]:
        """The same, after its overlay is drawn."""
        was, image = self.image(row, record)
        if image.result is not None and self._drawn.wants_overlay(image.result):
            try:
                picture = image.result.overlay(self._pixels(record))
            except ImageError as error:
                raise UsageError(
                    f"{record.path} can no longer be read: {error} Use `no_heatmaps`."
                ) from error
            self._drawn.save_overlay(record.name, picture)
        if image.result is not None and self._change.report:
            with suppress(ImageError):
                image = replace(image, thumbnail=thumbnail_of(self._pixels(record)))
        return was, image

    def add_to_report(self, report: ReportWriter, image: _Image) -> None:
        """Add an image to the report."""
        result, picture = image.result, self._drawn.overlay(image.record.name)
        if result is None:
            report.add(image.row, picture=picture)
            return
        load = partial(self._pixels, image.record)
        report.add(image.row, load, result.probability, picture, image.thumbnail)

    def commit(self, found: Recut, command: str) -> None:
        """Replace the files of the run by those that were prepared, then its card."""
        folder, change, card = self._run.folder, self._change, self._run.card
        with write_errors(folder):
            for name in SCORE.files:
                if (self.draft / name).exists():
                    (self.draft / name).replace(folder / name)
            if not change.report:
                (folder / REPORT).unlink(missing_ok=True)
            if (folder / HEATMAPS).exists():
                shutil.rmtree(folder / HEATMAPS)
            if (self.draft / HEATMAPS).exists():
                (self.draft / HEATMAPS).replace(folder / HEATMAPS)
        settings = card["settings"] | {
            "threshold": change.threshold.value,
            "threshold_source": change.threshold.source,
            "heatmaps": change.heatmaps,
            **band_settings(change.threshold),
        }
        if change.threshold.unsure is None:
            for name in ("unsure_threshold", "unsure_source"):
                settings.pop(name, None)
        if not change.anomalous_only:
            settings.pop("heatmaps_of", None)
        environment = dict(card["environment"])
        environment.pop("report", None)
        if change.report:
            environment["report"] = _text(self._run, change).to_dict()
        counts = found.summary.to_dict(band=change.threshold.unsure is not None)
        speed = {name: card["summary"][name] for name in ("seconds", "images_per_second")}
        content: dict[str, Any] = {
            **card,
            "settings": settings,
            "environment": environment,
            "summary": counts | speed,
            "files": file_digests(folder, SCORE),
            "recut": {
                "command": command,
                "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "moeclip": __version__,
                "threshold_before": card["settings"]["threshold"],
                "verdicts_only": change.verdicts_only,
            },
        }
        write_card(folder, content)

    def _map(self, record: InputRecord) -> CompactMap:
        path = self._kept.compact_map(record.name)
        try:
            return CompactMap.from_png(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} is damaged; score the image again.") from error

    def _pixels(self, record: InputRecord) -> NDArray[np.uint8]:
        limit = self._run.settings["max_pixels"]
        return decode(self._run.image(record), max_pixels=limit).pixels


def _require_maps(folder: Path, kept: ImageFiles, records: list[InputRecord]) -> None:
    if not kept.keep_maps:
        raise UsageError(
            f"The run in {folder} kept no maps, so that regions at another threshold are unknown; "
            "score with --keep-maps, or use `verdicts_only` to leave them empty."
        )
    paths = (kept.compact_map(record.name) for record in records)
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UsageError(
            f"{len(missing)} maps, such as {missing[0]}, are missing; score these images again "
            "with --resume, or use `verdicts_only`."
        )


def _require_unchanged(run: FinishedRun, records: list[InputRecord]) -> None:
    changed = [
        record.path
        for record in records
        if record.holds and state_of(run.image(record)) != (record.size, record.modified_ns)
    ]
    if changed:
        raise UsageError(
            f"{len(changed)} images, such as {changed[0]}, are missing or have changed since they "
            "were scored, so that their overlays cannot be drawn; use `no_heatmaps` to do without."
        )


def _count(found: Recut, was: Row, now: Row) -> None:
    found.summary.add(now, now=False)
    if was.verdict != now.verdict and now.verdict is not None:
        found.changed[now.verdict] += 1


def _in_order(
    work: Callable[[Row, InputRecord], tuple[Row, _Image]],
    images: Iterator[tuple[Row, InputRecord]],
    workers: int,
) -> Iterator[tuple[Row, _Image]]:
    """The results of `work`, in order, a few images ahead of what is read of them."""
    waiting: deque[Future[tuple[Row, _Image]]] = deque()
    with ThreadPoolExecutor(max(1, workers), "moeclip-recut") as pool:
        try:
            for row, record in images:
                waiting.append(pool.submit(work, row, record))
                if len(waiting) > 2 * max(1, workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
