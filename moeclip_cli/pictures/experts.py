"""Expert maps: the router's first choice for each patch (patch selection figure of the paper)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from moeclip_cli.pictures.legend import BACKGROUND, INK, font
from moeclip_cli.pictures.panels import nearest, text_size, viewing_size

# The palette of Okabe and Ito. Its order maximises, for every k, the distance between the closest
# pair of the first k colours under protanopia, deuteranopia and tritanopia.
_PALETTE = np.array(
    [
        (86, 180, 233),
        (213, 94, 0),
        (240, 228, 66),
        (0, 114, 178),
        (204, 121, 167),
        (0, 158, 115),
        (230, 159, 0),
    ]
)
_DARKER = 0.6
_COLOUR_SHARE = 0.6
_DIMMED = 0.7


def shares(choice: NDArray[np.integer], experts: int) -> list[float]:
    """The share of patches, in [0, 1], for which each expert was the first choice.

    Args:
        choice: (g, g) indices of the chosen experts.
        experts: number of experts.
    """
    counts = np.bincount(choice.ravel(), minlength=experts)
    return [float(count) / choice.size for count in counts]


def expert_colours(experts: int) -> NDArray[np.uint8]:
    """(experts, 3) uint8 RGB; up to 7 colours are safe for colour-blind people, up to 28 differ."""
    rounds, colours = np.divmod(np.arange(experts), len(_PALETTE))
    return np.rint(_PALETTE[colours] * _DARKER ** rounds[:, None]).astype(np.uint8)


def render_experts(
    pixels: NDArray[np.uint8], choice: NDArray[np.integer], experts: int, layer: int
) -> NDArray[np.uint8]:
    """Colour each patch of a picture by the router's first choice.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        choice: (g, g) indices of the chosen experts; the legend counts from 1, as in the paper.
        experts: number of experts.
        layer: number of the transformer block that precedes the router, for the title.

    Returns:
        (h, w, 3) uint8, RGB: the dimmed picture at viewing size, coloured, above a legend with
        each expert's share of the patches.
    """
    image = viewing_size(pixels)
    height, width = image.shape[:2]
    colours = expert_colours(experts)
    dimmed = image.mean(axis=-1, keepdims=True) * _DIMMED
    patches = colours[nearest(choice, height, width)]
    mixed = np.rint(dimmed + _COLOUR_SHARE * (patches - dimmed)).astype(np.uint8)
    labels = [f"expert {i}: {share:.1%}" for i, share in enumerate(shares(choice, experts), 1)]
    title = f"router's first choice, layer {layer}"
    legend = _legend(title, labels, colours, text_size(height, width), width)
    canvas_width = max(width, legend.shape[1])
    canvas = np.full((height + legend.shape[0], canvas_width, 3), BACKGROUND, np.uint8)
    canvas[:height, :width] = mixed
    canvas[height:, : legend.shape[1]] = legend
    return canvas


def _legend(
    title: str, labels: list[str], colours: NDArray[np.uint8], size: int, width: int
) -> NDArray[np.uint8]:
    """A title, and a coloured square with a label for each expert in as many columns as fit."""
    text = font(size)
    margin, line = round(size * 0.6), round(size * 1.5)
    label_left = round(size * 1.3)
    step = label_left + round(max(map(text.getlength, labels))) + 2 * margin
    columns = min(len(labels), max(1, (width - margin) // step))
    rows = -(-len(labels) // columns)
    panel_width = margin + max(columns * step, round(text.getlength(title)) + margin)
    panel = Image.new("RGB", (panel_width, (rows + 1) * line + margin), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    draw.text((margin, margin // 2), title, INK, text)
    for index, (label, colour) in enumerate(zip(labels, colours.tolist(), strict=True)):
        left = margin + index % columns * step
        top = margin // 2 + (1 + index // columns) * line
        draw.rectangle([left, top, left + size, top + size], tuple(colour))
        draw.text((left + label_left, top), label, INK, text)
    return np.asarray(panel)
