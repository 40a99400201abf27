"""Any number of float32 scores in bounded memory, with a proven bound on every rank.

Exact metrics need every score: 3,715 maps of 518 x 518 are 10^9 of them. A histogram on a fixed
grid needs the range beforehand, and merges what lies close together, which may be most of the
scores. This sketch keeps distinct scores and how many lie on each, and when there are too many of
them it merges neighbours that *together* are next to nothing among all that rank at or above them.
So it adapts to ranks, not to values: the highest scores stay as they are, whatever their range.

The bound. Let C(t) be the number of scores at or above t. Thinning moves the scores of a group onto
one of them. Groups are disjoint intervals, so only the group around t can change C(t), by no more
than its mass, at most `GROUP_ERROR` * C(t) as `_thin` builds groups. Runs are combined like
the digits of a binary counter, so a score is thinned once for each doubling of the number of
scores, not once for each buffer: at most 9 times among 10^9. Each run's error is a share of
its own C(t), so runs side by side do not add up; thinnings on top of one another do, and every run
carries their sum, as measured, in `error`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Raw scores that are collected before they are sorted.
BUFFER = 2**23
# A run with more distinct scores than this is thinned.
MAX_ROWS = 2**22
# Ranks are thinned to cells of this relative size; a row that fills half of one is not merged down.
CELL = 2.5e-6
# So the highest row of a group spans less than half a cell, and the others less than one.
GROUP_ERROR = 1.5 * CELL


@dataclass(frozen=True)
class Run:
    """Distinct scores and what lies on each. n rows, c columns.

    Attributes:
        scores: (n,) float32, ascending.
        weights: (c, n) float64; the first column counts scores, others are sums of weights.
        generation: how often runs of equal generation were combined to make this one.
        error: bound on the relative error of C(t), for every t; 0 if nothing was ever thinned.
    """

    scores: NDArray[np.float32]
    weights: NDArray[np.float64]
    generation: int = 0
    error: float = 0.0


class ScoreSketch:
    """Counts float32 scores, and sums weights over them, in bounded memory.

    Exact as long as there are at most `MAX_ROWS` distinct scores. Two sketches of parts merge into
    one that keeps the same bound as a sketch of the whole.

    Args:
        columns: 1 to count scores; 2 to sum a weight over them as well.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._scores: list[NDArray[np.float32]] = []
        self._weights: list[NDArray[np.float64]] = []
        self._buffered = 0
        self._runs: dict[int, Run] = {}

    def add(self, scores: NDArray[np.float32], weights: NDArray[np.float64] | None = None) -> None:
        """Take in scores; the arrays must not change afterwards.

        Args:
            scores: (n,) finite scores.
            weights: (n,) what each adds to the second column, if there is one.
        """
        if not scores.size:
            return
        self._scores.append(scores)
        if weights is not None:
            self._weights.append(weights)
        self._buffered += scores.size
        if self._buffered >= BUFFER:
            self._empty_buffer()

    def merge(self, other: ScoreSketch) -> None:
        """Take in what another sketch, of the same columns, has counted."""
        other._empty_buffer()
        for run in other._runs.values():
            self._push(run)

    def run(self) -> Run:
        """Everything counted so far in one run of some millions of rows at most."""
        self._empty_buffer()
        # From the smallest: its many small runs then add no more error than one more digit would.
        for generation in sorted(self._runs)[:-1]:
            small = self._runs.pop(generation)
            following = min(self._runs)
            self._runs[following] = _combine(small, self._runs[following], following)
        empty = Run(np.empty(0, np.float32), np.empty((self._columns, 0)))
        return next(iter(self._runs.values()), empty)

    def _empty_buffer(self) -> None:
        if self._buffered:
            run = _sorted_run(self._scores, self._weights)
            self._scores, self._weights, self._buffered = [], [], 0
            self._push(_thin(run))

    def _push(self, run: Run) -> None:
        while run.generation in self._runs:
            equal = self._runs.pop(run.generation)
            run = _combine(equal, run, run.generation + 1)
        self._runs[run.generation] = run


def _sorted_run(scores: list[NDArray[np.float32]], weights: list[NDArray[np.float64]]) -> Run:
    values = np.concatenate(scores)
    if not weights:
        values.sort()
        starts = _starts(values[1:] != values[:-1])
        counts = np.diff(starts, append=values.size).astype(np.float64)
        return Run(values[starts], counts[None])
    summed = np.concatenate(weights)
    return _gather(values, np.stack((np.ones_like(summed), summed)), np.argsort(values))


def _combine(a: Run, b: Run, generation: int) -> Run:
    scores = np.concatenate((a.scores, b.scores))
    weights = np.concatenate((a.weights, b.weights), axis=1)
    # Two ascending runs: a stable sort finds and merges them in linear time.
    merged = _gather(scores, weights, np.argsort(scores, kind="stable"))
    return _thin(Run(merged.scores, merged.weights, generation, max(a.error, b.error)))


def _gather(
    scores: NDArray[np.float32], weights: NDArray[np.float64], order: NDArray[np.intp]
) -> Run:
    """One row for each distinct score, after sorting by `order`."""
    scores = scores[order]
    starts = _starts(scores[1:] != scores[:-1])
    return Run(scores[starts], np.add.reduceat(weights[:, order], starts, axis=1))


def _starts(changes: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where groups start, given (n - 1,) whether a row differs from the one before it."""
    return np.concatenate((np.zeros(1, np.intp), np.flatnonzero(changes) + 1))


def _thin(run: Run) -> Run:
    """Merge rows of `run` until it is small enough for its length, if it is too long.

    A row's position grows by 1 where C grows by the factor 1 + `CELL` (or a weight by that share of
    its total). Rows whose positions have the same integer part form a group, except that one
    which spans half a cell or more is never merged with lower ones. n scores without heavy ties
    leave (2 + log(n * CELL / 2)) / CELL groups, 3.7 million for 10^9; no n scores leave more
    than three times that.
    """
    if run.scores.size <= MAX_ROWS:
        return run
    above = np.cumsum(run.weights[:, ::-1], axis=1)[:, ::-1]
    position = np.log(above[0])
    position += (above[1:] / above[1:, :1]).sum(axis=0)
    position /= CELL
    cell = np.floor(position)
    alone = position[:-1] - position[1:] >= 0.5  # the span of each row but the highest
    changes = cell[1:] != cell[:-1]
    changes[:-1] |= alone[1:]
    changes[-1] = True
    starts = _starts(changes)
    ends = np.append(starts[1:], run.scores.size)
    weights = np.add.reduceat(run.weights, starts, axis=1)
    merged = ends - starts > 1
    error = (weights[0] / above[0, starts])[merged].max(initial=0.0)
    # The middle one, so that moves up and down cancel.
    middle = (starts + ends) // 2
    return Run(run.scores[middle], weights, run.generation, run.error + float(error))
