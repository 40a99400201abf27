"""Which images of a category to show for their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.evaluation.results import MistakeKind, RankedKind

_LISTED = 3


def most_misranked(
    scores: NDArray[np.float64], anomalous: NDArray[np.bool_]
) -> list[tuple[MistakeKind, int]]:
    """The normal images with the highest and the anomalous images with the lowest scores.

    A normal image is listed only if it scores at least as high as some anomalous image, and an
    anomalous image only if it scores no higher than some normal image. If all images have the same
    label there is nothing to compare with, and the extremes of that label are listed.

    Args:
        scores: (n,) scores.
        anomalous: (n,) labels.

    Returns:
        Kind and index of at most 3 images of each kind: false alarms before misses, worst first.
    """
    alarms, misses = _worst_first(scores, anomalous)
    if misses.size and alarms.size:
        lowest, highest = scores[misses[0]], scores[alarms[0]]
        misses = misses[scores[misses] <= highest]
        alarms = alarms[scores[alarms] >= lowest]
    listed: list[tuple[MistakeKind, int]] = []
    listed += [("false alarm", int(index)) for index in alarms[:_LISTED]]
    listed += [("miss", int(index)) for index in misses[:_LISTED]]
    return listed


def at_the_ends(
    scores: NDArray[np.float64],
    anomalous: NDArray[np.bool_],
    misranked: Sequence[tuple[MistakeKind, int]],
) -> list[tuple[RankedKind, int]]:
    """The images with the highest and lowest scores of each label that are not listed as misranked.

    Args:
        scores: (n,) scores.
        anomalous: (n,) labels.
        misranked: of `most_misranked`.

    Returns:
        Kind and index of the normal images with the highest and the anomalous ones with the lowest
        scores, worst first, as many as there are fewer than 3 mistakes of that label; then of the
        highest anomalous and the lowest normal image. No image twice; empty for one label.
    """
    alarms, misses = _worst_first(scores, anomalous)
    if not (alarms.size and misses.size):
        return []
    shown = {index for _, index in misranked}
    listed: list[tuple[RankedKind, int]] = []

    def add(kind: RankedKind, indices: NDArray[np.intp]) -> None:
        fresh = [index for index in indices.tolist() if index not in shown]
        shown.update(fresh)
        listed.extend((kind, index) for index in fresh)

    add("highest normal", alarms[:_LISTED])
    add("lowest anomalous", misses[:_LISTED])
    add("highest anomalous", misses[-1:])
    add("lowest normal", alarms[-1:])
    return listed


def _worst_first(
    scores: NDArray[np.float64], anomalous: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the normal images by descending, and of the anomalous ones by ascending scores."""
    order = np.argsort(scores, kind="stable")
    return order[~anomalous[order]][::-1], order[anomalous[order]]
