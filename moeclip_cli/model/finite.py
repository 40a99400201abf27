"""Numbers that overflow: found in weights, and kept visible where a division would hide them.

A vector divided by an infinite length is 0, a finite number that leads to a wrong score. With NaN
in place of infinity, the score is NaN too.
"""

from __future__ import annotations

import torch
from torch import Tensor

# That of `torch.nn.functional.normalize`.
_EPS = 1e-12


def is_finite(value: Tensor, dtype: torch.dtype | None = None) -> bool:
    """True if no number is NaN, infinite or beyond the largest number of a type.

    Args:
        value: of any shape with at least one number.
        dtype: floating-point type that the numbers would be converted to; None for their own.
    """
    # Faster than `torch.isfinite` on all of them; NaN anywhere makes both extremes NaN.
    low, high = (float(extreme) for extreme in value.detach().aminmax())
    largest = torch.finfo(dtype or value.dtype).max
    return -largest <= low and high <= largest


def infinite_as_nan(value: Tensor) -> Tensor:
    """The same numbers, except NaN in place of infinity."""
    return value + 0 * value


def unit_vectors(value: Tensor, dim: int = -1) -> Tensor:
    """`torch.nn.functional.normalize`, except NaN where the length overflows.

    Args:
        value: of any shape.
        dim: dimension along which the length becomes 1.
    """
    length = torch.linalg.vector_norm(value, dim=dim, keepdim=True)
    return value / infinite_as_nan(length.clamp_min(_EPS))


def too_long_as_nan(value: Tensor) -> Tensor:
    """The same vectors, except NaN for those whose length overflows float32.

    A layer norm makes such a vector 0, or NaN if it is still longer.

    Args:
        value: vectors along the last dimension.
    """
    length = torch.linalg.vector_norm(value, dim=-1, keepdim=True, dtype=torch.float32)
    return value + (0 * length).to(value.dtype)
