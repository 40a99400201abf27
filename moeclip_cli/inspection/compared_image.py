"""An image that was compared with the others of a set: its distances, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from moeclip_cli.model.bank import image_score


@dataclass(frozen=True, eq=False)
class ComparedImage:
    """An image after the comparison with the others of its subset.

    Attributes:
        path: path of the image; "" for one in memory.
        distances: (rows, columns) float32 on the CPU, distance of each patch to the other images;
            None if the image cannot be scored.
        others: number of images that it was compared with.
        width, height: size of the original image in pixels.
        notes: remarks on how the image was read.
        error: one sentence, if the image cannot be scored.
        temporary: True if another try may succeed.
    """

    path: str
    distances: torch.Tensor | None
    others: int = 0
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()
    error: str | None = None
    temporary: bool = False

    @property
    def score(self) -> float | None:
        """Mean of the largest distances, in [0, 1]."""
        if self.distances is None:
            return None
        return float(image_score(self.distances.flatten()[None]))
