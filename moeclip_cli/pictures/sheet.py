"""Sheets: the image, its anomaly map, the overlay and the ground truth side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from moeclip_cli.pictures.colours import UNDER_COLOURS, ColourScale
from moeclip_cli.pictures.legend import BACKGROUND, INK, draw_legend, font
from moeclip_cli.pictures.overlay import outline, render_overlay
from moeclip_cli.pictures.panels import nearest, text_size, viewing_size

_STACKED_ASPECT = 1.8
_OUTSIDE_MASK = 0.35


def render_sheet(
    pixels: NDArray[np.uint8],
    probability: NDArray[np.float32],
    threshold: float,
    *,
    mask: NDArray[np.generic] | None = None,
    caption: str = "",
    mark_peak: bool = False,
    inside: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Arrange the image, its anomaly map, the overlay and, if known, the ground truth.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        probability: (h, w) anomaly probabilities in [0, 1].
        threshold: the threshold of the verdict.
        mask: (h, w) ground truth of any size, non-zero where anomalous; resized to the image by
            nearest neighbour.
        caption: a line in the legend, e.g. `overlay.caption(score, verdict)`.
        mark_peak: as in `render_overlay`.
        inside: as in `render_overlay`.

    Returns:
        (h, w, 3) uint8, RGB: the panels at viewing size in a row, or in a column if the image is
        wide.
    """
    image = viewing_size(pixels)
    height, width = image.shape[:2]
    scale = ColourScale(threshold)
    resized = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
    overlay = render_overlay(
        image,
        probability,
        threshold,
        legend=False,
        mark_peak=mark_peak,
        inside=None if inside is None else nearest(inside, height, width) != 0,
    )
    panels = [
        ("image", image),
        ("anomaly map", scale.paint(np.full_like(image, UNDER_COLOURS), resized)),
        ("overlay", overlay),
    ]
    if mask is not None:
        title = "ground truth" if mask.any() else "ground truth: no defect"
        panels.append((title, _masked(image, mask, *pixels.shape[:2])))
    size = text_size(height, width)
    return _arranged(panels, draw_legend(scale, caption, size), size)


def _masked(
    image: NDArray[np.uint8], mask: NDArray[np.generic], height: int, width: int
) -> NDArray[np.uint8]:
    """The image with the mask outlined and the rest darkened."""
    full_size = nearest(mask != 0, height, width).astype(np.float32)
    area = cv2.resize(full_size, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_AREA)
    # Any share counts, so that a scratch thinner than a pixel of the panel stays visible.
    inside = area > 0
    shown = np.where(inside[..., None], image, np.rint(image * _OUTSIDE_MASK).astype(np.uint8))
    outline(shown, inside.astype(np.uint8))
    return shown


def _arranged(
    panels: Sequence[tuple[str, NDArray[np.uint8]]], legend: NDArray[np.uint8], size: int
) -> NDArray[np.uint8]:
    height, width = panels[0][1].shape[:2]
    text = font(size)
    margin, title = size, round(size * 1.5)
    widest_title = max(round(text.getlength(name)) for name, _ in panels)
    step_x, step_y = max(width, widest_title) + margin, height + title + margin
    stacked = width > _STACKED_ASPECT * height
    columns, rows = (1, len(panels)) if stacked else (len(panels), 1)
    below = margin // 2 + rows * step_y
    sheet_width = max(margin + columns * step_x, legend.shape[1])
    sheet = Image.new("RGB", (sheet_width, below + legend.shape[0]), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (name, panel) in enumerate(panels):
        left = margin + index % columns * step_x
        top = margin // 2 + index // columns * step_y
        draw.text((left, top), name, INK, text)
        sheet.paste(Image.fromarray(panel), (left, top + title))
    sheet.paste(Image.fromarray(legend), (round(size * 0.4), below))
    return np.asarray(sheet)
