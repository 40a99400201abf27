"""The main job: a stream of image files into a table, pictures, maps and a report on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode
from moeclip_cli.images.inputs import ImageRef
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result, Row
from moeclip_cli.reports.done import DonePaths
from moeclip_cli.reports.files import replacing
from moeclip_cli.reports.html_page import RunFacts
from moeclip_cli.reports.html_report import ReportWriter
from moeclip_cli.reports.names import output_path
from moeclip_cli.reports.pictures import PictureFormat, picture_suffix, save_picture
from moeclip_cli.reports.tables import TableFormat, open_table
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.heatmap_run import HEATMAPS, overlay_of
from moeclip_cli.runs.stream import FileJob, Pace, PromptRule, results_with_files
from moeclip_cli.runs.summary import Summary

MAPS = "maps"


@dataclass(frozen=True)
class Outputs:
    """What a run writes besides the run card.

    Attributes:
        table_format: format of the results table.
        heatmaps: format of the overlays, or None for no overlays.
        save_maps: whether each image's raw map goes to `maps/NAME.npy`.
        report: what the head of `report.html` says, or None for no report.
    """

    table_format: TableFormat = "csv"
    heatmaps: PictureFormat | None = None
    save_maps: bool = False
    report: RunFacts | None = None


def run_score(
    inspector: Inspector,
    refs: Iterable[ImageRef],
    prompt: PromptRule,
    folder: RunFolder,
    outputs: Outputs,
    pace: Pace,
    observe: Callable[[Result], None],
) -> Summary:
    """Score `refs` into `folder`, skipping those that a resumed table already has.

    A row is written once the image's files are complete, so that whatever has a row has everything:
    killing the process loses the images in flight and nothing else.

    Args:
        inspector: what scores.
        refs: the images, in the order of the rows.
        prompt: the name of the object on an image.
        folder: the claimed output folder.
        outputs: what to write there.
        pace: batch size and threads.
        observe: called with each result, in order, after its row is on disk.

    Raises:
        UsageError: if the folder cannot be written.
    """
    summary = Summary()
    with ExitStack() as stack:
        table = stack.enter_context(
            open_table(folder.path, outputs.table_format, resume=folder.resumed)
        )
        report = None
        if outputs.report is not None:
            report = stack.enter_context(ReportWriter(folder.path, outputs.report))
        done = DonePaths(_keep(row, summary, report) for row in table.rows())
        todo = (ref for ref in refs if str(ref.path) not in done)
        jobs = _file_jobs(inspector, folder, outputs)
        for ref, result in results_with_files(inspector, todo, prompt, jobs, pace):
            row = result.row()
            table.write([row])
            summary.add(row)
            if report is not None:
                _add_to_report(report, inspector, folder, outputs, ref, result)
            observe(result)
    folder.card.finish(summary.to_dict())
    return summary


def _keep(row: Row, summary: Summary, report: ReportWriter | None) -> str:
    """Count a row of an earlier run; returns its path."""
    summary.add(row, now=False)
    if report is not None:
        report.add(row)
    return row.path


def _add_to_report(
    report: ReportWriter,
    inspector: Inspector,
    folder: RunFolder,
    outputs: Outputs,
    ref: ImageRef,
    result: Result,
) -> None:
    picture = None
    if outputs.heatmaps is not None and result.error is None:
        picture = _overlay_path(folder, ref, outputs.heatmaps)
    try:
        report.add(
            result.row(),
            lambda: decode(ref.path, max_pixels=inspector.max_pixels).pixels,
            result.probability,
            picture,
        )
    except ImageError:  # gone since it was scored: listed without a thumbnail
        report.add(result.row(), picture=picture)


def _overlay_path(folder: RunFolder, ref: ImageRef, picture_format: PictureFormat) -> Path:
    return output_path(folder.path / HEATMAPS, ref.name, picture_suffix(picture_format))


def _file_jobs(inspector: Inspector, folder: RunFolder, outputs: Outputs) -> list[FileJob]:
    """What is written for each image that could be scored."""

    def save_overlay(ref: ImageRef, result: Result) -> None:
        # Decoded again rather than kept: a few large originals in flight would fill the memory.
        pixels = decode(ref.path, max_pixels=inspector.max_pixels).pixels
        overlay = overlay_of(pixels, result)
        save_picture(_overlay_path(folder, ref, heatmaps), overlay, heatmaps)

    def save_map(ref: ImageRef, result: Result) -> None:
        with replacing(output_path(folder.path / MAPS, ref.name, ".npy")) as stream:
            np.save(stream, np.asarray(result.raw_map))

    heatmaps = outputs.heatmaps or "png"
    jobs: list[FileJob] = []
    if outputs.heatmaps is not None:
        jobs.append(save_overlay)
    if outputs.save_maps:
        jobs.append(save_map)
    return jobs
