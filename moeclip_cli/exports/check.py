"""The comparison of an exported graph with the model that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moeclip_cli.datasets.synthetic import MIN_SIDE, generate
from moeclip_cli.errors import ModelError
from moeclip_cli.exports.onnx_inspector import OnnxInspector
from moeclip_cli.inspection.image_like import ImageLike
from moeclip_cli.inspection.inspector import Inspector

BOUND = 1e-4
"""Largest difference of a score or of a value of a map that passes."""

PAIRS = 4
_SEED = 20_260_020
# Full batches and one that is not.
_BATCH_SIZE = 3
# Height and width of the generated images in parts of the network's input.
_SHAPES = ((1.0, 1.0), (0.75, 1.5), (1.5, 1.0), (0.5, 0.6))


@dataclass(frozen=True)
class Differences:
    """The largest differences between a graph and its model.

    Attributes:
        images: number of results that were compared.
        unreadable: number of images that neither could read.
        score: largest difference of a score.
        map: largest difference of a value of an anomaly map.
    """

    images: int = 0
    unreadable: int = 0
    score: float = 0.0
    map: float = 0.0

    def require_small(self) -> None:
        """Check that no difference is larger than `BOUND`.

        Raises:
            ModelError: if one is, or nothing was compared.
        """
        if self.images == 0:
            raise ModelError("None of the images could be read, so nothing was compared.")
        # Written so that NaN fails.
        if not (self.score <= BOUND and self.map <= BOUND):
            raise ModelError(
                f"The graph differs from the model by {self.score:.2g} in a score and by "
                f"{self.map:.2g} in a map, more than {BOUND:g}; nothing was written."
            )


def compare(
    inspector: Inspector,
    exported: OnnxInspector,
    images: Sequence[ImageLike],
    prompts: Iterable[str],
    advance: Callable[[], None] = lambda: None,
) -> Differences:
    """Score images with both and compare the results.

    Args:
        inspector: the model.
        exported: the graph.
        images: as for `Inspector.score`.
        prompts: all images are scored with each of them.
        advance: called after each image and prompt.
    """
    count = unreadable = 0
    score = map_ = 0.0
    for prompt in prompts:
        ours = inspector.score(images, prompt=prompt, batch_size=_BATCH_SIZE)
        theirs = exported.score(images, prompt=prompt, batch_size=_BATCH_SIZE)
        for one, other in zip(ours, theirs, strict=True):
            advance()
            if one.error is not None and other.error is not None:
                unreadable += 1
                continue
            count += 1
            score = _larger(score, one.score, other.score)
            map_ = _larger(map_, one.probability, other.probability)
    return Differences(count, unreadable, score, map_)


def generated_images(side: int) -> Iterator[NDArray[np.uint8]]:
    """Clean and defective generated images of several sizes, (h, w, 3) uint8 RGB.

    Args:
        side: of the network's input in pixels.
    """
    for index in range(PAIRS):
        height, width = (max(MIN_SIDE, round(part * side)) for part in _SHAPES[index])
        pair = generate(_SEED, index, max(height, width))
        for pixels in (pair.clean, pair.defective):
            yield pixels[:height, :width]


def _larger(before: float, one: ArrayLike | None, other: ArrayLike | None) -> float:
    """The larger of a difference and the largest one between two results; infinite if one lacks."""
    if one is None or other is None:
        return float("inf")
    return float(np.maximum(before, np.abs(np.subtract(one, other)).max()))
