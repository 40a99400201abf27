"""Histogram of the scores of a run as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BINS = 50
_WIDTH, _HEIGHT = 800, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 10, 10, 40, 38
# In pixels, so that a single image is visible beside a million.
_LOWEST_BAR = 2.0


@dataclass
class ScoreHistogram:
    """Counts of scores in 50 equal bins of [0, 1], for normal and anomalous images separately.

    Attributes:
        counts: (2, 50) int64; row 0 normal, row 1 anomalous.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, BINS), np.int64))

    def add(self, score: float, *, anomalous: bool) -> None:
        """Count one image."""
        self.counts[int(anomalous), min(max(int(score * BINS), 0), BINS - 1)] += 1

    @property
    def highest(self) -> int:
        """Number of images in the fullest bin."""
        return int(self.counts.sum(axis=0).max())

    def svg(self, threshold: float) -> str:
        """An SVG element, coloured by the CSS classes `normal` and `anomalous`.

        Args:
            threshold: the threshold of the verdict, drawn as a line.
        """
        normal, anomalous = self.counts.sum(axis=1).tolist()
        label = (
            f"Histogram of the scores from 0 to 1, threshold {threshold:.3f}: "
            f"{normal:,} normal, {anomalous:,} anomalous."
        )
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
            f"{''.join(self._bars())}{_axis()}{_threshold_line(threshold)}</svg>"
        )

    def _bars(self) -> Iterator[str]:
        step = _x(1 / BINS) - _x(0)
        for index, pair in enumerate(self.counts.T.tolist()):
            top = float(_HEIGHT - _BOTTOM)
            for count, verdict in zip(pair, ("normal", "anomalous"), strict=True):
                if not count:
                    continue
                height = max(count / self.highest * (_HEIGHT - _TOP - _BOTTOM), _LOWEST_BAR)
                top -= height
                scores = f"{index / BINS:.2f} to {(index + 1) / BINS:.2f}"
                yield (
                    f'<rect class="{verdict}" x="{_x(index / BINS) + 0.5:.1f}" y="{top:.1f}" '
                    f'width="{step - 1:.1f}" height="{height:.1f}">'
                    f"<title>{scores}: {count:,} {verdict}</title></rect>"
                )


def _x(score: float) -> float:
    return _LEFT + score * (_WIDTH - _LEFT - _RIGHT)


def _axis() -> str:
    base = _HEIGHT - _BOTTOM
    labels = "".join(
        f'<text x="{_x(score):.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{score:g}</text>'
        for score, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    )
    line = f'<line class="axis" x1="{_x(0)}" x2="{_x(1)}" y1="{base}" y2="{base}"/>'
    return line + labels


def _threshold_line(threshold: float) -> str:
    x = _x(min(max(threshold, 0.0), 1.0))
    anchor, shift = ("end", -6) if threshold > 0.5 else ("start", 6)
    return (
        f'<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="at-threshold" x="{x + shift:.1f}" y="26" text-anchor="{anchor}">'
        f"threshold {threshold:.3f}</text>"
    )
