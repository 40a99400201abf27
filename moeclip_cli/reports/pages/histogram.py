"""Histogram of the scores of a run as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.reports.pages.languages import ENGLISH
from moeclip_cli.reports.pages.words import Words

BINS = 50
FINE_BINS = 1000
_WIDTH, _HEIGHT = 800, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 10, 10, 40, 38
# In pixels, so that a single image is visible beside a million.
_LOWEST_BAR = 2.0


@dataclass
class ScoreHistogram:
    """Counts of scores in 50 equal bins of [0, 1], for normal and anomalous images separately.

    Attributes:
        counts: (2, 50) int64; row 0 normal, row 1 anomalous.
        fine: (1000,) int64, counts of all images in bins of 0.001, from which the page counts anew
            at another threshold.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, BINS), np.int64))
    fine: NDArray[np.int64] = field(default_factory=lambda: np.zeros(FINE_BINS, np.int64))

    def add(self, score: float, *, anomalous: bool) -> None:
        """Count one image."""
        self.counts[int(anomalous), min(max(int(score * BINS), 0), BINS - 1)] += 1
        # 0.29 is the first score of its bin, although 0.29 * 1000 is below 290.
        self.fine[min(max(int(score * FINE_BINS + 1e-9), 0), FINE_BINS - 1)] += 1

    @property
    def highest(self) -> int:
        """Number of images in the fullest bin."""
        return int(self.counts.sum(axis=0).max())

    @property
    def fine_text(self) -> str:
        """The fine bins that are not empty, such as "290:1 712:3"."""
        return " ".join(f"{index}:{count}" for index, count in enumerate(self.fine) if count)

    def svg(self, threshold: float, words: Words = ENGLISH) -> str:
        """An SVG element, coloured by the CSS classes `normal` and `anomalous`.

        Args:
            threshold: the threshold of the verdict, drawn as a line.
            words: of the language.
        """
        normal, anomalous = self.counts.sum(axis=1).tolist()
        named = words.threshold_at.format(words.decimals(threshold, 3))
        label = (
            f"{words.histogram}, {named}: {words.count(normal)} {words.verdict_name('normal')}, "
            f"{words.count(anomalous)} {words.verdict_name('anomalous')}."
        )
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
            f"{''.join(self._bars(words))}{_axis(words)}{_threshold_line(threshold, named)}</svg>"
        )

    def _bars(self, words: Words) -> Iterator[str]:
        step = _x(1 / BINS) - _x(0)
        for index, pair in enumerate(self.counts.T.tolist()):
            top = float(_HEIGHT - _BOTTOM)
            for count, verdict in zip(pair, ("normal", "anomalous"), strict=True):
                if not count:
                    continue
                height = max(count / self.highest * (_HEIGHT - _TOP - _BOTTOM), _LOWEST_BAR)
                top -= height
                ends = (words.decimals((index + end) / BINS, 2) for end in (0, 1))
                scores = words.span.format(*ends)
                yield (
                    f'<rect class="{verdict}" x="{_x(index / BINS) + 0.5:.1f}" y="{top:.1f}" '
                    f'width="{step - 1:.1f}" height="{height:.1f}">'
                    f"<title>{scores}: {words.count(count)} {words.verdict_name(verdict)}"
                    "</title></rect>"
                )


def _x(score: float) -> float:
    return _LEFT + score * (_WIDTH - _LEFT - _RIGHT)


def _axis(words: Words) -> str:
    base = _HEIGHT - _BOTTOM
    labels = "".join(
        f'<text x="{_x(score):.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">'
        f"{words.decimals(score, digits)}</text>"
        for score, digits, anchor in ((0, 0, "start"), (0.5, 1, "middle"), (1, 0, "end"))
    )
    line = f'<line class="axis" x1="{_x(0)}" x2="{_x(1)}" y1="{base}" y2="{base}"/>'
    return line + labels


def _threshold_line(threshold: float, named: str) -> str:
    x = _x(min(max(threshold, 0.0), 1.0))
    anchor, shift = ("end", -6) if threshold > 0.5 else ("start", 6)
    return (
        f'<line class="threshold" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="at-threshold" x="{x + shift:.1f}" y="26" text-anchor="{anchor}">'
        f"{named}</text>"
    )
