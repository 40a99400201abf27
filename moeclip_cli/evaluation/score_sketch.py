"""A sketch of any number of float32 scores in bounded memory, with a proven bound on every rank.

Exact metrics need every score: 3,715 maps of 518 x 518 pixels are 10^9 scores. A histogram on a
fixed grid needs to know the range in advance and merges scores that are close together, which may
be most of them. This sketch keeps distinct scores and their counts. When there are too many, it
merges neighbours whose combined count is a tiny share of the number of scores at or above them. So
it adapts to ranks, not to values: the highest scores stay exact, whatever their range.

The bound. Let C(t) be the number of scores at or above t. Thinning moves the scores of a group onto
one of them. Groups are disjoint intervals, so only the group around t can change C(t), by at most
its count, and a group contains at most 1.5 * `cell` of C at its lowest score. Runs are combined
like the digits of a binary counter, so a score is thinned once for each doubling of the number of
scores, not once for each buffer: 6 times for 10^9 scores. The error of a run is a share of its own
C(t), so the errors of separate runs do not add up. Those of successive thinnings do; every run
stores their measured sum in `error`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Counts = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class SketchLimits:
    """Memory and resolution of a sketch.

    Attributes:
        buffer: number of scores that are buffered before they are counted.
        rows: maximum number of distinct scores in a run before it is thinned.
        cell: share by which the rank C grows from one cell to the next. A score whose count is at
            least half a cell is never merged with higher ones, so that heavy ties stay exact.
        weight_cell: maximum share of the sum of all weights in a cell.
    """

    buffer: int = 2**25
    rows: int = 2**21
    cell: float = 5.4e-6
    weight_cell: float = 1e-5


@dataclass(frozen=True)
class Run:
    """Distinct scores with their counts and weights, n rows.

    Attributes:
        scores: (n,) float32, ascending.
        counts: (n,) float64, number of scores at each value.
        weights: (n,) float32, sum of their weights; (0,) if they have none.
        generation: number of times that runs of equal generation were combined to form this one.
        error: bound on the relative error of C(t) for every t; 0 if nothing was merged.
    """

    scores: NDArray[np.float32]
    counts: NDArray[np.float64]
    weights: NDArray[np.float32]
    generation: int = 0
    error: float = 0.0


class ScoreSketch:
    """Counts float32 scores, and optionally sums their weights, in bounded memory.

    Exact for up to `limits.buffer` scores, and for any number of scores with at most `limits.rows`
    distinct values. Sketches of parts merge into one with the same bound as a sketch of the whole.

    Args:
        weighted: whether each score has a weight.
        limits: memory and resolution.
    """

    def __init__(self, weighted: bool, limits: SketchLimits) -> None:
        self._weighted = weighted
        self._limits = limits
        self._scores, self._weights = self._new_buffers()
        self._buffered = 0
        self._runs: dict[int, Run] = {}

    @property
    def error(self) -> float:
        """Bound on the relative error of the number of scores at or above any threshold."""
        return max((run.error for run in self._runs.values()), default=0.0)

    def add(self, scores: NDArray[np.float32], weights: NDArray[np.float32] | None = None) -> None:
        """Count scores.

        Args:
            scores: (n,) finite scores.
            weights: (n,) their weights; required if the sketch is weighted.
        """
        capacity = self._limits.buffer
        for start in range(0, scores.size, capacity):
            part = slice(start, start + capacity)
            size = scores[part].size
            if self._buffered + size > capacity:
                self._empty_buffer()
            free = slice(self._buffered, self._buffered + size)
            self._scores[free] = scores[part]
            if weights is not None:
                self._weights[free] = weights[part]
            self._buffered += size

    def merge(self, other: ScoreSketch) -> None:
        """Add the counts of another sketch with the same parameters."""
        for run in other._runs.values():
            self._push(run)
        filled = slice(other._buffered)
        self.add(other._scores[filled], other._weights[filled] if self._weighted else None)

    def counts(self, thresholds: NDArray[np.float32]) -> _Counts:
        """The numbers of scores above each threshold, and at or above it.

        Args:
            thresholds: (t,) in ascending order.

        Returns:
            Two arrays (t,).

        Raises:
            ValueError: if the sketch is weighted: sorting would separate weights and scores.
        """
        if self._weighted:
            raise ValueError("a weighted sketch has no counts(); use run()")
        above, at_or_above = np.zeros(thresholds.size), np.zeros(thresholds.size)
        buffered = self._scores[: self._buffered]
        buffered.sort()
        above += buffered.size - np.searchsorted(buffered, thresholds, side="right")
        at_or_above += buffered.size - np.searchsorted(buffered, thresholds)
        for run in self._runs.values():
            cumulative = np.append(_from_the_top(run.counts), 0.0)
            above += cumulative[np.searchsorted(run.scores, thresholds, side="right")]
            at_or_above += cumulative[np.searchsorted(run.scores, thresholds)]
        return above, at_or_above

    def run(self) -> Run:
        """All counts so far as one run: a few million rows, unless all scores are buffered."""
        if not self._runs:
            return self._sorted_buffer()
        if self._buffered:
            self._empty_buffer()
        # Smallest first: then all of them together add no more error than one generation.
        for generation in sorted(self._runs)[:-1]:
            small = self._runs.pop(generation)
            following = min(self._runs)
            run = _combine(small, self._runs.pop(following), following)
            self._runs[following] = _thin(run, self._limits)
        return next(iter(self._runs.values()))

    def _new_buffers(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Empty buffers for scores and weights; the system allocates pages as they are filled."""
        size = self._limits.buffer
        return np.empty(size, np.float32), np.empty(size if self._weighted else 0, np.float32)

    def _empty_buffer(self) -> None:
        if self._weighted:
            run = _thin(self._sorted_buffer(), self._limits)
        else:
            run = _count(self._scores[: self._buffered], self._limits)
        # New buffers, so that the pages of the full ones are free while runs are combined.
        self._scores, self._weights = self._new_buffers()
        self._buffered = 0
        self._push(run)

    def _sorted_buffer(self) -> Run:
        scores = self._scores[: self._buffered]
        order = np.argsort(scores)
        scores = scores[order]
        first = _first_rows(scores)
        counts = np.diff(first, append=scores.size).astype(np.float64)
        weights = _sums(self._weights[: self._buffered], order, first)
        return Run(scores[first], counts, weights)

    def _push(self, run: Run) -> None:
        while run.generation in self._runs:
            equal = self._runs.pop(run.generation)
            run = _thin(_combine(equal, run, run.generation + 1), self._limits)
        self._runs[run.generation] = run

    def __getstate__(self) -> dict[str, Any]:
        # Only the filled part of the buffers is sent to another process.
        filled = slice(self._buffered)
        return self.__dict__ | {"_scores": self._scores[filled], "_weights": self._weights[filled]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._scores, self._weights = self._new_buffers()
        self._scores[: self._buffered] = state["_scores"]
        if self._weighted:
            self._weights[: self._buffered] = state["_weights"]


def _count(scores: NDArray[np.float32], limits: SketchLimits) -> Run:
    """A run of unweighted scores in any order; sorts them in place, and thins if necessary."""
    scores.sort()
    total = scores.size
    starts = np.append(True, scores[1:] != scores[:-1])
    if np.count_nonzero(starts) > limits.rows:
        # A cell ends at each of these scores; equal scores belong to the same cell.
        bounds = scores[total - _cell_ranks(total, limits.cell)]
        first = np.searchsorted(scores, bounds)
        end = np.searchsorted(scores, bounds, side="right")
        heavy = end - first >= limits.cell / 2 * (total - first)
        starts = np.zeros(total + 1, bool)
        starts[0] = starts[first] = starts[end[heavy]] = True
        starts = starts[:-1]
    first = np.flatnonzero(starts)
    end = np.append(first[1:], total)
    merged = scores[first] != scores[end - 1]
    error = ((end - first) / (total - first))[merged].max(initial=0.0)
    counts = (end - first).astype(np.float64)
    no_weights = np.empty(0, np.float32)
    return Run(scores[(first + end) // 2], counts, no_weights, error=float(error))


def _combine(a: Run, b: Run, generation: int) -> Run:
    """The union of two runs, not thinned, so that this function's memory is freed before that."""
    scores = np.concatenate((a.scores, b.scores))
    # Two ascending runs: a stable sort finds and merges them in linear time.
    order = np.argsort(scores, kind="stable")
    scores = scores[order]
    first = _first_rows(scores)
    return Run(
        scores[first],
        _sums(np.concatenate((a.counts, b.counts)), order, first),
        _sums(np.concatenate((a.weights, b.weights)), order, first),
        generation,
        max(a.error, b.error),
    )


def _thin(run: Run, limits: SketchLimits) -> Run:
    """Merge the rows of `run` that share a cell, if it has too many.

    n scores without heavy ties leave (1 + log(n * cell)) / cell rows: 1.8 million for 10^9 scores.
    """
    rows = run.scores.size
    if rows <= limits.rows:
        return run
    starts = np.zeros(rows, bool)
    above = _from_the_top(run.counts)
    starts[rows - 1 - np.searchsorted(above[::-1], _cell_ranks(int(above[0]), limits.cell))] = True
    above *= limits.cell / 2
    starts[1:] |= (run.counts >= above)[:-1]
    if run.weights.size:
        above = _from_the_top(run.weights)
        cell = limits.weight_cell * above[0]
        starts[rows - 1 - np.searchsorted(above[::-1], np.arange(cell, above[0], cell))] = True
        starts[1:] |= (run.weights >= cell / 2)[:-1]
    del above
    starts[0] = True
    first = np.flatnonzero(starts)
    end = np.append(first[1:], rows)
    counts = _sums(run.counts, slice(None), first)
    share = counts / _from_the_top(counts)
    return Run(
        # The middle row of each group, so that moves up and down cancel.
        run.scores[(first + end) // 2],
        counts,
        _sums(run.weights, slice(None), first),
        run.generation,
        run.error + float(share[end - first > 1].max(initial=0.0)),
    )


def _first_rows(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """Index of the first row of each distinct score; `scores` are in ascending order."""
    return np.flatnonzero(np.append(True, scores[1:] != scores[:-1])[: scores.size])


def _sums(
    column: NDArray[Any], order: NDArray[np.intp] | slice, first: NDArray[np.intp]
) -> NDArray[Any]:
    """Sums of a reordered column over groups that start at `first`; empty if the column is."""
    if not column.size:
        return column
    return np.add.reduceat(column[order], first, dtype=np.float64).astype(column.dtype, copy=False)


def _cell_ranks(total: int, cell: float) -> NDArray[np.intp]:
    """Ranks from the top at which cells end: the first 1 / cell ranks, then increasingly few."""
    single = np.arange(1, min(total, int(1 / cell)) + 1)
    growing = np.arange(1, int(np.log(max(1.0, total * cell)) / cell) + 1)
    return np.concatenate((single, np.exp(growing * cell) / cell)).astype(np.intp)


def _from_the_top(column: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) sum of each row and all higher rows."""
    return np.cumsum(column[::-1], dtype=np.float64)[::-1]
