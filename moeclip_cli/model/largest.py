"""The largest values of every row, fast on a CPU, and rows that leave out their own item."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

# Beyond this number, starting a thread takes longer than it saves.
_MOST_THREADS = 8


def lower_diagonal(values: Tensor, by: float) -> Tensor:
    """Square matrices (..., L, L) with their diagonals lowered; `values` may be changed."""
    if torch.compiler.is_compiling():  # a recorded graph takes no changes through views
        return values - by * torch.eye(values.shape[-1], dtype=values.dtype, device=values.device)
    values.diagonal(dim1=-2, dim2=-1).sub_(by)
    return values


def largest(values: Tensor, count: int) -> Tensor:
    """The `count` largest of every row (..., L), in any order; leaves the rows reordered."""
    # A tracer would record the result of NumPy as a constant.
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()
    if recorded or values.requires_grad or values.device.type != "cpu":
        return values.topk(count, dim=-1, sorted=False).values
    # On a CPU, NumPy selects with vector instructions and torch does not, but only in one thread.
    rows = values.flatten(0, -2).numpy()
    rest = values.shape[-1] - count
    threads = min(torch.get_num_threads(), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: part.partition(rest), np.array_split(rows, threads)))
    return torch.from_numpy(rows[:, rest:]).view(*values.shape[:-1], count)
