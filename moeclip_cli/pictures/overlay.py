"""Overlays: a picture coloured by its anomaly map."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from moeclip_cli.pictures.colours import ColourScale
from moeclip_cli.pictures.legend import BACKGROUND, INK, SMALLEST_TEXT, draw_legend
from moeclip_cli.pictures.peak import find_peak

_STRIP_PIXELS = 1 << 19
# In a narrower picture, an outline would hide the region.
_NARROWEST_OUTLINED = 16
BORDER = (0, 114, 178)
"""Colour of the border of what was inspected: a blue that is in no colour scale."""

# Radius of the ring around a peak, as a share of the shorter side.
_RING_RADIUS = 0.06
_LEGEND_SHARE = (0.7, 0.4)
_LEGEND_OPACITY = 0.8


def render_overlay(
    pixels: NDArray[np.uint8],
    probability: NDArray[np.float32],
    threshold: float,
    *,
    caption: str = "",
    legend: bool = True,
    mark_peak: bool = False,
    inside: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Colour a picture by its anomaly probability and outline regions at or above the threshold.

    In addition to the result, this needs one byte of memory per pixel.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        probability: (h, w) anomaly probabilities in [0, 1]; resized bilinearly to the picture.
        threshold: the threshold of the verdict and of the colour scale.
        caption: a short line in the legend, e.g. `caption(score, verdict)`.
        legend: whether to draw a legend in the least anomalous corner, if it fits.
        mark_peak: whether to draw a ring around the maximum of the map if no region reaches the
            threshold, as on an image that is anomalous as a whole.
        inside: (H, W), the pixels that were inspected, whose border is drawn; the others keep their
            colours. None for all.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    scale = ColourScale(threshold)
    painted = np.empty(pixels.shape, np.uint8)
    reached = np.empty(pixels.shape[:2], np.uint8)
    for rows, values in _strips(probability, *pixels.shape[:2]):
        painted[rows] = scale.paint(pixels[rows], values)
        reached[rows] = values >= threshold
        if inside is not None:
            np.copyto(painted[rows], pixels[rows], where=~inside[rows, :, None])
            reached[rows] &= inside[rows]
    if min(reached.shape) >= _NARROWEST_OUTLINED:
        outline(painted, reached)
        if mark_peak and not reached.any():
            _ring(painted, probability)
    if inside is not None:
        _draw_border(painted, inside)
    if legend:
        _place_legend(painted, probability, scale, caption)
    return painted


def caption(score: float, verdict: str) -> str:
    """The caption of an image in legends and sheets, e.g. `anomalous: 0.873`."""
    return f"{verdict}: {score:.3f}"


def outline(picture: NDArray[np.uint8], region: NDArray[np.uint8]) -> None:
    """Draw a white line with a dark edge around the non-zero parts of `region`, in place.

    Args:
        picture: (H, W, 3) uint8, contiguous.
        region: (H, W) uint8.
    """
    contours, _ = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for colour, width in _line(*region.shape):
        cv2.drawContours(picture, contours, -1, colour, width, cv2.LINE_AA)


def _draw_border(picture: NDArray[np.uint8], inside: NDArray[np.bool_]) -> None:
    """Draw a blue line around what was inspected, in place."""
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    width = max(1, round(sqrt(inside.size) / 500))
    cv2.drawContours(picture, contours, -1, BORDER, width)


def _ring(picture: NDArray[np.uint8], probability: NDArray[np.float32]) -> None:
    """Draw such a line around the peak of the map, in place."""
    height, width = picture.shape[:2]
    _, x, y = find_peak(probability, width, height)
    radius = max(4, round(_RING_RADIUS * min(height, width)))
    for colour, thickness in _line(height, width):
        cv2.circle(picture, (x, y), radius, colour, thickness, cv2.LINE_AA)


def _line(height: int, width: int) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Colours and widths of the strokes of a line on a picture: its edge, then its inside."""
    inside = max(1, round(sqrt(height * width) / 500))
    edge = max(1, round(inside / 2))
    yield BACKGROUND, inside + 2 * edge
    yield INK, inside


def _strips(
    probability: NDArray[np.float32], height: int, width: int
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the map, resized to (height, width), a few rows at a time."""
    wide = cv2.resize(probability, (width, probability.shape[0]), interpolation=cv2.INTER_LINEAR)
    centres = (np.arange(height) + 0.5) * (len(wide) / height) - 0.5
    centres = np.clip(centres, 0, len(wide) - 1)
    above = centres.astype(np.intp)
    below = np.minimum(above + 1, len(wide) - 1)
    weight = (centres - above).astype(np.float32)[:, None]
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        rows = slice(top, top + step)
        upper, lower = wide[above[rows]], wide[below[rows]]
        yield rows, upper + weight[rows] * (lower - upper)


def _place_legend(
    picture: NDArray[np.uint8],
    probability: NDArray[np.float32],
    scale: ColourScale,
    caption: str,
) -> None:
    height, width = picture.shape[:2]
    size = max(SMALLEST_TEXT, round(min(height, width) * 0.022))
    panel = draw_legend(scale, caption, size)
    panel_height, panel_width = panel.shape[:2]
    widest, highest = _LEGEND_SHARE
    margin = size // 2
    if panel_width + margin > widest * width or panel_height + margin > highest * height:
        return
    down = (height - margin - panel_height, margin)
    across = (margin, width - margin - panel_width)
    corners = [(top, left) for top in down for left in across]

    def peak(corner: tuple[int, int]) -> float:
        """The highest visible value that the legend would hide."""
        top, left = corner
        side_y, side_x = probability.shape
        hidden = probability[
            top * side_y // height : -(-(top + panel_height) * side_y // height),
            left * side_x // width : -(-(left + panel_width) * side_x // width),
        ]
        return max(float(hidden.max()), scale.lowest)

    top, left = min(corners, key=peak)
    target = picture[top : top + panel_height, left : left + panel_width]
    mixed = _LEGEND_OPACITY * panel + (1 - _LEGEND_OPACITY) * target
    # Only the background is translucent, so that the colours of the legend match the picture.
    plain = (panel == BACKGROUND).all(axis=-1, keepdims=True)
    target[:] = np.where(plain, np.rint(mixed), panel)
