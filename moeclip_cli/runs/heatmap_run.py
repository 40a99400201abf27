"""`moeclip heatmap`: pictures of what the model sees, without a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.decode import decode
from moeclip_cli.images.inputs import ImageRef
from moeclip_cli.images.walk import OUTPUT_MARKER
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.experts import render_experts
from moeclip_cli.reports.files import write_errors
from moeclip_cli.reports.names import output_path
from moeclip_cli.reports.overlay import caption, render_overlay
from moeclip_cli.reports.pictures import PictureFormat, picture_suffix, save_picture
from moeclip_cli.reports.sheet import render_sheet
from moeclip_cli.runs.stream import Pace, PromptRule, results_with_files
from moeclip_cli.runs.summary import Summary

HEATMAPS, SHEETS, EXPERTS = "heatmaps", "sheets", "experts"
_MASK_SUFFIXES = ("", "_mask")


@dataclass(frozen=True)
class Pictures:
    """Which pictures to draw of every image, besides the overlay.

    Attributes:
        folder: the output folder, which gets a subfolder per kind.
        picture_format: their file format.
        sheets: whether to draw image, map and overlay side by side.
        masks: a mask file, or a folder of masks that mirrors the images; shown on the sheets.
        experts_layer: block after which the router's first choices are drawn, or None.
    """

    folder: Path
    picture_format: PictureFormat = "png"
    sheets: bool = False
    masks: Path | None = None
    experts_layer: int | None = None

    def paths(self, name: str) -> dict[str, Path]:
        """Where the pictures of the image called `name` go, by kind."""
        kinds = [HEATMAPS]
        if self.sheets:
            kinds.append(SHEETS)
        if self.experts_layer is not None:
            kinds.append(EXPERTS)
        suffix = picture_suffix(self.picture_format)
        return {kind: output_path(self.folder / kind, name, suffix) for kind in kinds}

    def refuse_existing(self, refs: Iterable[ImageRef]) -> None:
        """Check that no picture of `refs` would be overwritten.

        Raises:
            UsageError: naming the first picture that is in the way.
        """
        for ref in refs:
            for path in self.paths(ref.name).values():
                if path.exists():
                    raise UsageError(
                        f"{path} exists; use --overwrite to replace it or another --out."
                    )

    def mask_for(self, name: str) -> Path | None:
        """The mask of the image called `name`, if there is one.

        A mask has the image's name, or that and `_mask`, with any extension.
        """
        if self.masks is None or not self.masks.is_dir():
            return self.masks
        image = Path(name)
        folder = self.masks / image.parent
        if not folder.is_dir():
            return None
        stems = {image.stem + suffix for suffix in _MASK_SUFFIXES}
        found = sorted(path for path in folder.iterdir() if path.stem in stems)
        return found[0] if found else None


def run_heatmap(
    inspector: Inspector,
    refs: Iterable[ImageRef],
    prompt: PromptRule,
    pictures: Pictures,
    pace: Pace,
    observe: Callable[[ImageRef, Result], None],
) -> Summary:
    """Draw the pictures of `refs`.

    Args:
        inspector: what scores.
        refs: the images.
        prompt: the name of the object on an image.
        pictures: what to draw and where.
        pace: batch size and threads.
        observe: called with each image and its result, in order, once its pictures are there.

    Raises:
        UsageError: if the folder cannot be written.
    """
    with write_errors(pictures.folder):
        pictures.folder.mkdir(parents=True, exist_ok=True)
        (pictures.folder / OUTPUT_MARKER).touch()

    def draw(ref: ImageRef, result: Result) -> None:
        pixels = decode(ref.path, max_pixels=inspector.max_pixels).pixels
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
    layer = pictures.experts_layer
    for ref, result in results_with_files(
        inspector, refs, prompt, [draw], pace, experts_layer=layer
    ):
        summary.add(result.row())
        observe(ref, result)
    return summary


def overlay_of(
    pixels: NDArray[np.uint8], result: Result, *, legend: bool = True
) -> NDArray[np.uint8]:
    """The overlay of a scored image, (H, W, 3) uint8 RGB, at the size of `pixels`."""
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
        raise ValueError("the router's choices were not asked for")
    experts = inspector.model.config.network.experts
    return render_experts(pixels, result.experts, experts, pictures.experts_layer)


def _drawn(result: Result) -> tuple[NDArray[np.float32], float, str]:
    """What a picture of a scored image needs: map, threshold and caption."""
    values = (result.probability, result.threshold, result.score, result.verdict)
    probability, threshold, score, verdict = values
    if probability is None or threshold is None or score is None or verdict is None:
        raise ValueError("an image that was not scored has no map to draw")
    return probability, threshold, caption(score, verdict)


def _read_mask(path: Path) -> NDArray[np.uint8]:
    try:
        return decode(path).pixels.max(axis=-1)
    except ImageError as error:
        raise ImageError(f"The mask {path}: {error}") from error
