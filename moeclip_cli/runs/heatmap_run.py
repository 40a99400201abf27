"""`moeclip heatmap`: overlays, sheets and expert maps of images, without a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import decode_mask
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.verdicts import NORMAL
from moeclip_cli.pictures.experts import render_experts
from moeclip_cli.pictures.overlay import caption
from moeclip_cli.pictures.sheet import render_sheet
from moeclip_cli.runs.folder import remove_partial_files
from moeclip_cli.runs.image_files import HEATMAPS
from moeclip_cli.runs.lock import WriterLock
from moeclip_cli.runs.pictures import EXPERTS, KINDS, SHEETS, Pictures
from moeclip_cli.runs.run_card import make_output_folder
from moeclip_cli.runs.stream import (
    FileJob,
    Pace,
    PromptFunction,
    RemoteScorer,
    results_with_files,
)
from moeclip_cli.runs.summary import Summary

if TYPE_CHECKING:
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.inspector import Inspector


def run_heatmap(
    inspector: Inspector | OnnxInspector | RemoteScorer,
    refs: Iterable[ImageRef],
    prompt: PromptFunction,
    pictures: Pictures,
    pace: Pace,
    observe: Callable[[ImageRef, Result], None],
) -> Summary:
    """Draw the pictures of `refs`, while no other process writes to the folder.

    Args:
        inspector: scores the images.
        refs: the images.
        prompt: the name of the object on an image.
        pictures: pictures to draw, and where.
        pace: batch size and threads.
        observe: called with each image and its result, in order, after its pictures are written.

    Returns:
        Counts over all images.

    Raises:
        UsageError: if the folder cannot be written, if another process is writing to it, or if
            pictures were removed during the run.
    """
    make_output_folder(pictures.folder)
    with WriterLock.of_folder(pictures.folder) as lock:
        remove_partial_files(pictures.folder, KINDS)
        summary = _draw(inspector, refs, prompt, pictures, pace, observe)
        lock.require_held()
    return summary


def _draw(
    inspector: Inspector | OnnxInspector | RemoteScorer,
    refs: Iterable[ImageRef],
    prompt: PromptFunction,
    pictures: Pictures,
    pace: Pace,
    observe: Callable[[ImageRef, Result], None],
) -> Summary:
    summary = Summary()
    jobs_of = partial(_file_jobs, pictures=pictures)

    def drawn() -> Iterator[str]:
        layer = pictures.experts_layer
        for ref, result in results_with_files(
            inspector, refs, prompt, jobs_of, pace, experts_layer=layer
        ):
            summary.add(result.row())
            observe(ref, result)
            if result.error is None:
                yield ref.name

    names = DiskList(drawn())
    missing = [
        f"{kind} of {name}"
        for name in names
        for kind, path in pictures.written(name).items()
        if path is None
    ]
    if missing:
        raise UsageError(
            f"{len(missing)} pictures, such as the {missing[0]}, were removed during the run; "
            "run the command again, and leave the output folder alone until it ends."
        )
    return summary


def _file_jobs(inspector: Inspector | OnnxInspector, pictures: Pictures) -> list[FileJob]:
    """The writer of each scored image's pictures."""

    def draw(ref: ImageRef, result: Result) -> None:
        pixels = inspector.read_pixels(ref.path)
        pictures.save(HEATMAPS, ref.name, result.overlay(pixels))
        if SHEETS in pictures.kinds:
            mask_path = pictures.mask_for(ref.name)
            mask = None if mask_path is None else _read_mask(mask_path)
            pictures.save(SHEETS, ref.name, _sheet_of(pixels, result, mask))
        if EXPERTS in pictures.kinds:
            drawn = _experts_of(pixels, result, inspector.experts, pictures)
            pictures.save(EXPERTS, ref.name, drawn)

    return [draw]


def _sheet_of(
    pixels: NDArray[np.uint8], result: Result, mask: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    probability, threshold, line = _drawn(result)
    return render_sheet(
        pixels,
        probability,
        threshold,
        mask=mask,
        caption=line,
        mark_peak=result.verdict != NORMAL,
        inside=result.inspected(*pixels.shape[:2]),
    )


def _experts_of(
    pixels: NDArray[np.uint8], result: Result, experts: int, pictures: Pictures
) -> NDArray[np.uint8]:
    if result.experts is None or pictures.experts_layer is None:
        raise ValueError("the experts of this result were not requested")
    return render_experts(pixels, result.experts, experts, pictures.experts_layer)


def _drawn(result: Result) -> tuple[NDArray[np.float32], float, str]:
    """Map, threshold and caption of a scored image."""
    values = (result.probability, result.threshold, result.score, result.verdict)
    probability, threshold, score, verdict = values
    if probability is None or threshold is None or score is None or verdict is None:
        raise ValueError("an image that was not scored has no anomaly map")
    return probability, threshold, caption(score, verdict)


def _read_mask(path: Path) -> NDArray[np.uint8]:
    try:
        return decode_mask(path)
    except ImageError as error:
        raise ImageError(f"The mask {path}: {error}") from error
