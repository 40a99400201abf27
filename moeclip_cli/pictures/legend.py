"""The legend of an anomaly map: a colour bar with the threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from moeclip_cli.pictures.colours import UNDER_COLOURS, ColourScale

BACKGROUND = (24, 24, 28)
INK = (255, 255, 255)
SMALLEST_TEXT = 11
_BAR_WIDTH = 11.0


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all pictures, `size` pixels high; Pillow includes it."""
    return ImageFont.load_default(size)


def draw_legend(scale: ColourScale, caption: str, size: int) -> NDArray[np.uint8]:
    """A small panel with a caption, the colours from 0 to 1, and the position of the threshold.

    Args:
        scale: the colour scale.
        caption: a line above the bar; omitted if empty.
        size: text height in pixels.

    Returns:
        (h, w, 3) uint8, RGB.
    """
    text = font(size)
    margin = round(size * 0.6)
    line = round(size * 1.3)
    bar_width = max(round(size * _BAR_WIDTH), round(text.getlength(caption)))
    bar_top = margin + (line if caption else 0)
    bar_height = round(size * 0.8)
    bottom = bar_top + bar_height + round(size * 0.25)
    panel = Image.new("RGB", (bar_width + 2 * margin, bottom + line + margin // 2), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    draw.text((margin, margin // 2), caption, INK, text)
    panel.paste(Image.fromarray(_bar(scale, bar_width, bar_height)), (margin, bar_top))
    threshold = min(max(scale.threshold, 0.0), 1.0)
    mark = margin + round(threshold * (bar_width - 1))
    thickness = max(1, size // 10)
    overhang = max(1, size // 6)
    draw.line([(mark, bar_top - overhang), (mark, bottom)], INK, thickness)
    _draw_scale(draw, text, threshold, (margin, bottom, margin + bar_width), size)
    return np.asarray(panel)


def _bar(scale: ColourScale, width: int, height: int) -> NDArray[np.uint8]:
    values = np.broadcast_to(np.linspace(0.0, 1.0, width), (height, width))
    grey = np.full((height, width, 3), UNDER_COLOURS, np.uint8)
    return scale.paint(grey, values)


def _draw_scale(
    draw: ImageDraw.ImageDraw,
    text: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    threshold: float,
    place: tuple[int, int, int],
    size: int,
) -> None:
    """Write 0, the threshold and 1 below the bar; omit 0 or 1 if the threshold is too close."""
    left, top, right = place
    label = f"{threshold:.3f}"
    half = text.getlength(label) / 2
    centre = min(max(left + threshold * (right - left), left + half), right - half)
    draw.text((centre, top), label, INK, text, anchor="ma")
    if centre - half - left > size:
        draw.text((left, top), "0", INK, text, anchor="la")
    if right - centre - half > size:
        draw.text((right, top), "1", INK, text, anchor="ra")
