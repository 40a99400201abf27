"""Pillow's antialiased resizing of 8-bit images as operations of a graph, equal to the last bit.

Pillow resizes along one axis, rounds to 8 bits, and then resizes along the other. Its filters are
fixed-point numbers with 22 fractional bits, here the sum of two parts whose products with pixels
are whole numbers that float32 holds exactly. Versions before 13 take the rows first; version 13
takes the columns first if H > S and H - S > 2 (W - S). The graph does as the version that is
installed where it is exported.

Shapes: B images, H and W height and width in pixels, S side of the square in pixels.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from moeclip_cli.model.preprocessing import Interpolation

_BICUBIC = Image.Resampling.BICUBIC
_BITS = 22
# The lower part of a coefficient has so many bits.
_LOWER_BITS = 11
# Half-width of each filter in pixels.
_SUPPORT: dict[Interpolation, float] = {"bilinear": 1.0, "bicubic": 2.0}


def resize_to_square(images: Tensor, side: int, interpolation: Interpolation) -> Tensor:
    """Resize images as `Image.resize` does.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        side: S.
        interpolation: Pillow's filter.

    Returns:
        (B, 3, S, S) float32, whole numbers from 0 to 255.
    """

    def rows_first(planes: Tensor) -> Tensor:
        rows = _resize_last(planes, side, interpolation)
        columns = _resize_last(rows.transpose(2, 3), side, interpolation)
        return columns.transpose(2, 3).contiguous()

    def columns_first(planes: Tensor) -> Tensor:
        columns = _resize_last(planes.transpose(2, 3), side, interpolation)
        return _resize_last(columns.transpose(2, 3), side, interpolation).contiguous()

    planes = images.permute(0, 3, 1, 2).float()
    if not chooses_axis():
        return rows_first(planes)
    height, width = (torch.full((), planes.shape[axis]) - side for axis in (2, 3))
    tall = (height > 0) & (height > 2 * width)
    if not torch.compiler.is_compiling():  # `torch.cond` would start a compiler
        return columns_first(planes) if tall else rows_first(planes)
    found: Tensor = torch.cond(tall, columns_first, rows_first, (planes,))
    return found


@cache
def chooses_axis() -> bool:
    """True if the installed Pillow takes the columns of some images first."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 8), dtype=np.uint8)
    image, size = Image.fromarray(pixels), (16, 16)
    rows_first = image.resize((16, 64), _BICUBIC).resize(size, _BICUBIC)
    return image.resize(size, _BICUBIC).tobytes() != rows_first.tobytes()


def _resize_last(planes: Tensor, side: int, interpolation: Interpolation) -> Tensor:
    """Whole numbers (..., n) resized along the last dimension, rounded as Pillow does."""
    coefficients = _coefficients(planes.shape[-1], side, interpolation)
    unit = 2**_LOWER_BITS
    upper = torch.floor((coefficients + unit // 2) / unit)
    lower = coefficients - unit * upper
    # The sums are whole numbers below 2^24, as long as the image is at most 15 times the square.
    parts = (planes @ part.float().T for part in (upper, lower))
    high, low = (part.double() for part in parts)
    rounded = torch.floor((unit * high + low + 2 ** (_BITS - 1)) / 2**_BITS)
    return rounded.clamp(0, 255).float()


def _coefficients(length: int, side: int, interpolation: Interpolation) -> Tensor:
    """Pillow's fixed-point coefficients (S, n) in float64, which are whole numbers."""
    size = torch.full((), length, dtype=torch.float64)
    scale = size / side
    widened = scale.clamp(min=1.0)
    centre = (torch.arange(side, dtype=torch.float64)[:, None] + 0.5) * scale
    support = _SUPPORT[interpolation] * widened
    positions = torch.arange(length, dtype=torch.float64)
    first = torch.floor(centre - support + 0.5)
    end = torch.floor(centre + support + 0.5)
    inside = (positions >= first) & (positions < end)
    weights = _filter((positions - centre + 0.5) * (1 / widened), interpolation) * inside
    weights = weights * (1 / weights.sum(dim=1, keepdim=True))
    return torch.sign(weights) * torch.floor(weights.abs() * 2**_BITS + 0.5)


def _filter(x: Tensor, interpolation: Interpolation) -> Tensor:
    """Pillow's filters; the bicubic one has a = -0.5."""
    x = x.abs()
    zero = torch.zeros_like(x)
    if interpolation == "bilinear":
        return torch.where(x < 1, 1 - x, zero)
    near = (1.5 * x - 2.5) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return torch.where(x < 1, near, torch.where(x < 2, far, zero))
