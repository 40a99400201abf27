"""`moeclip heatmap`: overlays, sheets and expert maps of images, without a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.choices import PictureFormat
from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.files import is_present
from moeclip_cli.images.decode import decode_mask
from moeclip_cli.images.encode import picture_suffix, save_picture
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.pictures.experts import render_experts
from moeclip_cli.reports.pictures.overlay import caption, render_overlay
from moeclip_cli.reports.pictures.sheet import render_sheet
from moeclip_cli.runs.folder import remove_partial_files
from moeclip_cli.runs.image_files import HEATMAPS
from moeclip_cli.runs.lock import WriterLock
from moeclip_cli.runs.names import output_path
from moeclip_cli.runs.run_card import make_output_folder
from moeclip_cli.runs.stream import Pace, PromptFunction, results_with_files
from moeclip_cli.runs.summary import Summary

SHEETS, EXPERTS = "sheets", "experts"
KINDS = (HEATMAPS, SHEETS, EXPERTS)
_MASK_SUFFIXES = ("", "_mask")


@dataclass(frozen=True)
class Pictures:
    """Pictures to draw of every image, besides the overlay.

    Attributes:
        folder: the output folder, with a subfolder for each kind of picture.
        picture_format: file format of the pictures.
        sheets: whether to draw image, map and overlay side by side.
        masks: a mask file, or a folder of masks that mirrors the images; drawn on the sheets.
        experts_layer: block after which each patch's first expert is drawn, or None.
    """

    folder: Path
    picture_format: PictureFormat = "png"
    sheets: bool = False
    masks: Path | None = None
    experts_layer: int | None = None

    def paths(self, name: str) -> dict[str, Path]:
        """Paths of the pictures of the image called `name`, by kind."""
        kinds = [HEATMAPS]
        if self.sheets:
            kinds.append(SHEETS)
        if self.experts_layer is not None:
            kinds.append(EXPERTS)
        suffix = picture_suffix(self.picture_format)
        return {kind: output_path(self.folder / kind, name, suffix) for kind in kinds}

    def refuse_existing(self, refs: Iterable[ImageRef]) -> None:
        """Refuse to overwrite pictures.

        Raises:
            UsageError: naming the first picture of `refs` that exists.
        """
        for ref in refs:
            for path in self.paths(ref.name).values():
                if is_present(path):
                    raise UsageError(
                        f"{path} exists; use `overwrite` to replace it, or choose another `out`."
                    )

    def mask_for(self, name: str) -> Path | None:
        """The mask of the image called `name`, if there is one.

        A mask has the name of its image, with or without `_mask` appended, and any extension.
        """
        if self.masks is None or not self.masks.is_dir():
            return self.masks
        image = Path(name)
        folder = self.masks / image.parent
        if not folder.is_dir():
            return None
        stems = {image.stem + suffix for suffix in _MASK_SUFFIXES}
        masks = sorted(path for path in folder.iterdir() if path.stem in stems)
        return masks[0] if masks else None


def run_heatmap(
    inspector: Inspector,
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
    inspector: Inspector,
    refs: Iterable[ImageRef],
    prompt: PromptFunction,
    pictures: Pictures,
    pace: Pace,
    observe: Callable[[ImageRef, Result], None],
) -> Summary:

    def draw(ref: ImageRef, result: Result) -> None:
        pixels = inspector.read_pixels(ref.path)
        paths = pictures.paths(ref.name)
        save = pictures.picture_format
        save_picture(paths[HEATMAPS], overlay_of(pixels, result), save)
        if SHEETS in paths:
            mask_path = pictures.mask_for(ref.name)
            mask = None if mask_path is None else _read_mask(mask_path)
            save_picture(paths[SHEETS], _sheet_of(pixels, result, mask), save)
        if EXPERTS in paths:
            save_picture(paths[EXPERTS], _experts_of(pixels, result, inspector, pictures), save)

    summary = Summary()

    def drawn() -> Iterator[str]:
        layer = pictures.experts_layer
        for ref, result in results_with_files(
            inspector, refs, prompt, [draw], pace, experts_layer=layer
        ):
            summary.add(result.row())
            observe(ref, result)
            if result.error is None:
                yield ref.name

    names = DiskList(drawn())
    missing = [
        path for name in names for path in pictures.paths(name).values() if not path.exists()
    ]
    if missing:
        raise UsageError(
            f"{len(missing)} pictures, such as {missing[0]}, were removed during the run; run the "
            "command again, and leave the output folder alone until it ends."
        )
    return summary


def overlay_of(
    pixels: NDArray[np.uint8], result: Result, *, legend: bool = True
) -> NDArray[np.uint8]:
    """The overlay of a scored image, at the size of `pixels`.

    Args:
        pixels: (H, W, 3) uint8 RGB, the image at any size.
        result: its result.
        legend: whether to draw the legend.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    probability, threshold, line = _drawn(result)
    return render_overlay(pixels, probability, threshold, caption=line, legend=legend)


def _sheet_of(
    pixels: NDArray[np.uint8], result: Result, mask: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    probability, threshold, line = _drawn(result)
    return render_sheet(pixels, probability, threshold, mask=mask, caption=line)


def _experts_of(
    pixels: NDArray[np.uint8], result: Result, inspector: Inspector, pictures: Pictures
) -> NDArray[np.uint8]:
    if result.experts is None or pictures.experts_layer is None:
        raise ValueError("the experts of this result were not requested")
    experts = inspector.model.config.network.experts
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
