"""Histogram of the scores of a run as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.verdicts import ANOMALOUS, NORMAL, UNSURE, Threshold
from moeclip_cli.reports.pages.languages import ENGLISH
from moeclip_cli.reports.pages.words import Words

BINS = 50
_STACKED = (NORMAL, UNSURE, ANOMALOUS)
FINE_BINS = 1000
_WIDTH, _HEIGHT = 800, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 10, 10, 40, 38
# In pixels, so that a single image is visible beside a million.
_LOWEST_BAR = 2.0
# From this score there is room for the name of a line on its left, also in the large letters of a
# narrow screen.
_ROOM = 0.4


@dataclass
class ScoreHistogram:
    """Counts of scores in 50 equal bins of [0, 1], for each verdict separately.

    Attributes:
        threshold: gives the verdicts, and is drawn as a line or two.
        counts: (3, 50) int64; normal, unsure and anomalous images.
        fine: (1000,) int64, counts of all images in bins of 0.001, from which the page counts anew
            at another threshold.
        below_unsure: of the bin of 0.001 that contains the lower threshold, images below it.
    """

    threshold: Threshold
    counts: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(_STACKED), BINS), np.int64)
    )
    fine: NDArray[np.int64] = field(default_factory=lambda: np.zeros(FINE_BINS, np.int64))
    below_unsure: int = 0

    def add(self, score: float, verdict: str) -> None:
        """Count one image."""
        self.counts[_STACKED.index(verdict), min(max(int(score * BINS), 0), BINS - 1)] += 1
        self.fine[_fine_bin(score)] += 1
        unsure = self.threshold.unsure
        if unsure is not None and verdict == NORMAL:
            self.below_unsure += _fine_bin(score) == _fine_bin(unsure)

    @property
    def highest(self) -> int:
        """Number of images in the fullest bin."""
        return int(self.counts.sum(axis=0).max())

    @property
    def fine_text(self) -> str:
        """The fine bins that are not empty, such as "290:1 712:3"."""
        return " ".join(f"{index}:{count}" for index, count in enumerate(self.fine) if count)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdicts that images can have, the lowest scores first."""
        return tuple(
            name for name in _STACKED if name != UNSURE or self.threshold.unsure is not None
        )

    def svg(self, words: Words = ENGLISH) -> str:
        """An SVG element, coloured by the CSS classes `normal`, `unsure` and `anomalous`.

        Args:
            words: of the language.
        """
        threshold, unsure = self.threshold.value, self.threshold.unsure
        totals = dict(zip(_STACKED, self.counts.sum(axis=1).tolist(), strict=True))
        named = words.threshold_at.format(words.decimals(threshold, 3))
        numbers = ", ".join(
            f"{words.count(totals[verdict])} {words.verdict_name(verdict)}"
            for verdict in self.verdicts
        )
        lines, limits = _line("threshold", threshold, 6), named
        names = _name("at-threshold", threshold, named, 26, left=threshold > 0.5)
        if unsure is not None:  # in a row of its own, as the two lines may be close
            names = _name("at-threshold upper", threshold, named, 16, left=threshold > 0.5)
            from_ = f"{words.unsure_from.lower()} {words.decimals(unsure, 3)}"
            lines += _line("unsure-from", unsure, 22)
            names += _name("at-unsure", unsure, from_, 35, left=unsure > _ROOM)
            limits += f", {from_}"
        label = f"{words.histogram}, {limits}: {numbers}."
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
            f"{''.join(self._bars(words))}{_axis(words)}{lines}{names}</svg>"
        )

    def _bars(self, words: Words) -> Iterator[str]:
        step = _x(1 / BINS) - _x(0)
        for index, stack in enumerate(self.counts.T.tolist()):
            top = float(_HEIGHT - _BOTTOM)
            for count, verdict in zip(stack, _STACKED, strict=True):
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


def _line(kind: str, score: float, top: int) -> str:
    x = _x(min(max(score, 0.0), 1.0))
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{_HEIGHT - _BOTTOM}"/>'


def _name(kind: str, score: float, named: str, y: int, *, left: bool) -> str:
    """The name of a line, on its left or right."""
    x = _x(min(max(score, 0.0), 1.0))
    anchor, shift = ("end", -6) if left else ("start", 6)
    return f'<text class="{kind}" x="{x + shift:.1f}" y="{y}" text-anchor="{anchor}">{named}</text>'


def _fine_bin(score: float) -> int:
    # 0.29 is the first score of its bin, although 0.29 * 1000 is below 290.
    return min(max(int(score * FINE_BINS + 1e-9), 0), FINE_BINS - 1)
