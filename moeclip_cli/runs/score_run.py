"""`moeclip score`: image files to a table, overlays, raw maps and a report in an output folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from moeclip_cli._version import __version__
from moeclip_cli.choices import PictureChoice, TableFormat
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.errors import ImageError
from moeclip_cli.files import replacing
from moeclip_cli.inspection.compact_map import CompactMap
from moeclip_cli.inspection.result import Result, Row
from moeclip_cli.inspection.scorer import Scorer, ScoringFacts
from moeclip_cli.inspection.thresholds import AppliedThreshold
from moeclip_cli.reports.pages.report_text import ReportText
from moeclip_cli.reports.pages.score_content import RunFacts
from moeclip_cli.reports.pages.score_report import ReportWriter, thumbnail_of
from moeclip_cli.reports.tables.results_table import open_table
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.good_scores_file import write_good_scores
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import (
    Describe,
    InputLog,
    InputRecord,
    describe_batch,
    read_records,
)
from moeclip_cli.runs.region_run import RegionOutput, save_regions, write_region_tables
from moeclip_cli.runs.resumption import InputOrder, keep_valid_rows
from moeclip_cli.runs.stream import (
    FileJob,
    JobsOf,
    Pace,
    PromptFunction,
    RemoteScorer,
    results_with_files,
)
from moeclip_cli.runs.summary import Summary

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.mutual import MutualInspector


@dataclass(frozen=True)
class Outputs:
    """Files of a run besides the run card.

    Attributes:
        table_format: format of the results table.
        heatmaps: format of the overlays, or None for no overlays.
        anomalous_only: whether only anomalous and unsure images get an overlay.
        save_maps: whether each image's raw map is written to `maps/NAME.npy`.
        keep_maps: whether each image's compact map is written to `compact-maps/NAME.png`.
        report: head of `report.html`, or None for no report.
        regions: what is written about regions, or None for nothing.
    """

    table_format: TableFormat = "csv"
    heatmaps: PictureChoice | None = None
    anomalous_only: bool = False
    save_maps: bool = False
    keep_maps: bool = False
    report: RunFacts | None = None
    regions: RegionOutput | None = None


def score_settings(
    inspector: Inspector | MutualInspector | OnnxInspector,
    outputs: Outputs,
    *,
    prompt: str,
    prompt_rules: str | None,
) -> dict[str, Any]:
    """Everything that decides the rows of a run and the files that come with them.

    A run can be resumed only with equal settings. Device, batch size and workers are left out:
    they do not change a score.

    Args:
        inspector: scores the images.
        outputs: files to write.
        prompt: the prompt of images without a rule.
        prompt_rules: text of the file of prompt rules, if there is one.
    """
    threshold = inspector.threshold
    band = {} if threshold is None else band_settings(threshold)
    # Keys of later versions are left out at their defaults, so that earlier runs can be resumed.
    more: dict[str, Any] = {"heatmaps_of": "anomalous"} if outputs.anomalous_only else {}
    more |= {"keep_maps": True} if outputs.keep_maps else {}
    more |= {} if outputs.regions is None else {"regions": dict(outputs.regions.settings)}
    return {
        **inspector.settings,
        "threshold": None if threshold is None else threshold.value,
        "threshold_source": "outlier limit" if threshold is None else threshold.source,
        **band,
        "max_pixels": inspector.max_pixels,
        "prompt": prompt,
        "prompt_rules": prompt_rules,
        "table_format": outputs.table_format,
        "heatmaps": outputs.heatmaps,
        "save_maps": outputs.save_maps,
        **more,
    }


def band_settings(threshold: AppliedThreshold) -> dict[str, Any]:
    """The settings of a band of unsure images; none without one."""
    if threshold.unsure is None:
        return {}
    return {"unsure_threshold": threshold.unsure, "unsure_source": threshold.unsure_source}


def report_facts(
    scorer: ScoringFacts, prompt: str, text: ReportText | None = None, *, mixed: bool
) -> RunFacts:
    """The head of a report.

    Args:
        scorer: gives the results.
        prompt: the prompt of images without a rule.
        text: what the user adds.
        mixed: whether rules give some images other prompts.
    """
    return RunFacts(
        model=scorer.model.name,
        prompt=f"{prompt}, and others by rule" if mixed else prompt,
        threshold=scorer.threshold,
        good_parts=len(scorer.good_scores),
        device=scorer.device_name,
        started=datetime.now(timezone.utc).astimezone(),
        version=__version__,
        text=text or ReportText(),
    )


def run_score(
    scorer: Scorer | RemoteScorer,
    refs: Iterable[ImageRef],
    prompt: PromptFunction,
    folder: RunFolder,
    outputs: Outputs,
    pace: Pace,
    observe: Callable[[Result], None],
    remark: Callable[[str], None] = lambda sentence: None,
    describe: Describe = describe_batch,
    summary: Summary | None = None,
    kept_row: Callable[[Row], None] = lambda row: None,
) -> Summary:
    """Score `refs` into `folder`, except those whose rows in a resumed table still hold.

    A row is written after all other files of its image. A killed run therefore loses only the
    images in flight. The folder is closed at the end.

    Args:
        scorer: gives the results.
        refs: the images, in the order of the rows; iterated more than once.
        prompt: the name of the object on an image.
        folder: the claimed output folder.
        outputs: files to write there.
        pace: batch size and threads.
        observe: called with each result, in order, after its row is on disk.
        remark: called with a sentence about rows of an earlier run that are not kept.
        describe: gives the records of a batch, by which a resumed run knows which rows still hold.
        summary: empty counts, whose time began with the run; new ones by default.
        kept_row: called with each row of an earlier run that is kept, before the first image.

    Returns:
        Counts over all rows, those of an earlier run included.

    Raises:
        UsageError: if the folder cannot be written, or files were removed from it during the run.
    """
    summary = summary or Summary()
    files = ImageFiles(
        folder.path,
        outputs.heatmaps,
        save_maps=outputs.save_maps,
        anomalous_only=outputs.anomalous_only,
        keep_maps=outputs.keep_maps,
        regions=outputs.regions is not None,
        crops=outputs.regions is not None and outputs.regions.crops,
        masks=outputs.regions is not None and outputs.regions.masks,
    )
    with folder, ExitStack() as stack:
        write_good_scores(folder.path, scorer.good_scores)
        resume, size = folder.resumed, pace.batch_size
        table = stack.enter_context(open_table(folder.path, outputs.table_format, resume=resume))
        log = stack.enter_context(InputLog(folder.path, resume=resume))
        if table.outdated:
            remark(
                f"{table.path} is of an earlier version of moeclip and lacks columns; its images "
                "will be scored again."
            )
        if resume:
            kept = keep_valid_rows(table, log, refs, size, files, describe)
            if sentence := kept.remark():
                remark(sentence)
        report = None
        if outputs.report is not None:
            report = stack.enter_context(ReportWriter(folder.path, outputs.report))
        for row, ref in _with_images(table.rows(), refs):
            summary.add(row, now=False)
            if report is not None:
                _add_earlier(report, scorer, files, ref, row)
            kept_row(row)
        order = InputOrder(table, refs, size, describe)
        jobs_of: JobsOf = partial(file_jobs, files=files, regions=outputs.regions)
        thumbnails = _Thumbnails(scorer)
        if report is not None and not isinstance(scorer, RemoteScorer):
            jobs_of = partial(_jobs_and_thumbnails, jobs_of=jobs_of, thumbnails=thumbnails)
        for ref, result in results_with_files(scorer, order.missing(), prompt, jobs_of, pace):
            row = result.row()
            log.add(_record(order.next_record(), result, files))
            table.write([row])
            summary.add(row)
            if report is not None:
                _add_to_report(report, scorer, files, ref, result, thumbnails.take(ref, result))
            observe(result)
        order.restore()
        if resume:
            log.arrange(str(ref.path) for ref in refs)
        stack.close()  # the digests of `finish` are those of finished files
        files.require_complete(read_records(log.path))
        if outputs.regions is not None:
            write_region_tables(files, log.path, outputs.regions)
        folder.finish(summary.to_dict(band=scorer.threshold.unsure is not None))
    return summary


def _record(before: InputRecord, result: Result, files: ImageFiles) -> InputRecord:
    record = before.of(result)
    left_out = files.anomalous_only and record.scored and not files.wants_overlay(result)
    return replace(record, overlay=not left_out)


def _with_images(
    rows: Iterable[Row], refs: Iterable[ImageRef]
) -> Iterator[tuple[Row, ImageRef | None]]:
    """Yield the rows that are kept, which are in the order of the images, with their images."""
    left = iter(refs)
    for row in rows:
        yield row, next((ref for ref in left if str(ref.path) == row.path), None)


def _add_earlier(
    report: ReportWriter, scorer: ScoringFacts, files: ImageFiles, ref: ImageRef | None, row: Row
) -> None:
    """Add an image of an earlier run, by its saved overlay and its file."""
    if ref is None:
        report.add(row)
        return
    overlay = files.overlay(ref.name)
    report.add(
        row,
        partial(scorer.read_pixels, ref.path),
        picture=overlay if overlay is not None and overlay.exists() else None,
    )


class _Thumbnails:
    """The thumbnails of the images whose files are being written, for the report.

    Made in the writing threads, because the report itself is collected in one; or, where other
    processes write the files, when they are taken.
    """

    def __init__(self, scorer: ScoringFacts) -> None:
        self._scorer = scorer
        self._made: dict[str, bytes] = {}

    def make(self, ref: ImageRef, result: Result) -> None:
        with suppress(ImageError):  # deleted since it was scored
            self._made[ref.name] = thumbnail_of(self._scorer.read_pixels(ref.path))

    def take(self, ref: ImageRef, result: Result) -> bytes | None:
        if ref.name not in self._made and result.error is None:
            self.make(ref, result)
        return self._made.pop(ref.name, None)


def _jobs_and_thumbnails(
    scorer: ScoringFacts, jobs_of: JobsOf, thumbnails: _Thumbnails
) -> list[FileJob]:
    return [*jobs_of(scorer), thumbnails.make]


def _add_to_report(
    report: ReportWriter,
    scorer: ScoringFacts,
    files: ImageFiles,
    ref: ImageRef,
    result: Result,
    thumbnail: bytes | None,
) -> None:
    picture = files.overlay(ref.name) if files.wants_overlay(result) else None
    load = partial(scorer.read_pixels, ref.path)
    report.add(result.row(), load, result.probability, picture, thumbnail)


def file_jobs(
    scorer: ScoringFacts, files: ImageFiles, regions: RegionOutput | None
) -> list[FileJob]:
    """The writers of each scored image's files."""

    def save_overlay(ref: ImageRef, result: Result) -> None:
        if not files.wants_overlay(result):
            return
        # Decoded again rather than kept: a few large originals in flight would fill the memory.
        pixels = scorer.read_pixels(ref.path)
        files.save_overlay(ref.name, result.overlay(pixels))

    def save_map(ref: ImageRef, result: Result) -> None:
        # In memory first: on a full disk NumPy's writer does not raise a plain `OSError`.
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(result.raw_map))
        with replacing(files.raw_map(ref.name)) as stream:
            stream.write(buffer.getbuffer())

    def save_compact_map(ref: ImageRef, result: Result) -> None:
        compact = CompactMap.of(np.asarray(result.probability), scorer.threshold.value)
        with replacing(files.compact_map(ref.name)) as stream:
            stream.write(compact.to_png())

    jobs: list[FileJob] = []
    if files.heatmaps is not None:
        jobs.append(save_overlay)
    if files.save_maps:
        jobs.append(save_map)
    if files.keep_maps:
        jobs.append(save_compact_map)
    if regions is not None:
        jobs.append(
            lambda ref, result: save_regions(files, ref, result, regions, scorer.read_pixels)
        )
    return jobs
