"""The main job: a stream of image files into a table, pictures, maps and a report on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from moeclip_cli.images.decode import decode
from moeclip_cli.images.inputs import ImageRef
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.done import DonePaths
from moeclip_cli.reports.files import replacing
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
        report: whether `report.html` is written.
    """

    table_format: TableFormat = "csv"
    heatmaps: PictureFormat | None = None
    save_maps: bool = False
    report: bool = False


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
    with open_table(folder.path, outputs.table_format, resume=folder.resumed) as table:
        done = DonePaths(summary.add(row, now=False).path for row in table.rows())
        todo = (ref for ref in refs if str(ref.path) not in done)
        jobs = _file_jobs(inspector, folder, outputs)
        for _, result in results_with_files(inspector, todo, prompt, jobs, pace):
            row = result.row()
            table.write([row])
            summary.add(row)
            observe(result)
    folder.finish(summary.to_dict())
    return summary


def _file_jobs(inspector: Inspector, folder: RunFolder, outputs: Outputs) -> list[FileJob]:
    """What is written for each image that could be scored."""

    def save_overlay(ref: ImageRef, result: Result) -> None:
        # Decoded again rather than kept: a few large originals in flight would fill the memory.
        pixels = decode(ref.path, max_pixels=inspector.max_pixels).pixels
        overlay = overlay_of(pixels, result)
        suffix = picture_suffix(heatmaps)
        save_picture(output_path(folder.path / HEATMAPS, ref.name, suffix), overlay, heatmaps)

    def save_map(ref: ImageRef, result: Result) -> None:
        with replacing(output_path(folder.path / MAPS, ref.name, ".npy")) as stream:
            np.save(stream, result.raw_map)

    heatmaps = outputs.heatmaps or "png"
    jobs: list[FileJob] = []
    if outputs.heatmaps is not None:
        jobs.append(save_overlay)
    if outputs.save_maps:
        jobs.append(save_map)
    return jobs
