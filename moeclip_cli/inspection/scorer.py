"""What a run needs from whatever gives its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from moeclip_cli.checkpoints.loading import LoadedModel
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.thresholds import AppliedThreshold


class Scorer(Protocol):
    """A source of results: the network, or an earlier comparison of the images."""

    @property
    def model(self) -> LoadedModel:
        """The model and its name in tables."""

    @property
    def device(self) -> torch.device:
        """Device of the network."""

    @property
    def threshold(self) -> AppliedThreshold:
        """The threshold of the verdicts and its origin."""

    @property
    def good_scores(self) -> GoodScores:
        """Scores of good parts, which percentiles refer to."""

    def read_pixels(self, path: Path) -> NDArray[np.uint8]:
        """Decode an image file, (H, W, 3) uint8 RGB; raises `ImageError`."""

    def score(
        self,
        images: Iterable[Path],
        *,
        prompt: Callable[..., str],
        batch_size: int | None = None,
        workers: int | None = None,
        experts_layer: int | None = None,
        ends_batch: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Yield one result per image, in order; see `Inspector.score`."""
