"""What a run needs from whatever gives its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.discovery.places import ImagePlace
from moeclip_cli.inspection.result import Result

if TYPE_CHECKING:
    from moeclip_cli.inspection.good_scores import GoodScores
    from moeclip_cli.inspection.thresholds import AppliedThreshold


class Named(Protocol):
    """A model with a name."""

    @property
    def name(self) -> str:
        """Of the model in tables."""


class ScoringFacts(Protocol):
    """What a run tells of whatever gives its results."""

    @property
    def model(self) -> Named:
        """The model and its name in tables."""

    @property
    def device_name(self) -> str:
        """Device of the network in words."""

    @property
    def threshold(self) -> AppliedThreshold:
        """The threshold of the verdicts and its origin."""

    @property
    def good_scores(self) -> GoodScores:
        """Scores of good parts, which percentiles refer to."""

    def read_pixels(self, path: ImagePlace) -> NDArray[np.uint8]:
        """Decode an image, (H, W, 3) uint8 RGB; raises `ImageError`."""


@runtime_checkable
class Scorer(ScoringFacts, Protocol):
    """A source of results: the network, or an earlier comparison of the images."""

    def score(
        self,
        images: Iterable[ImagePlace],
        *,
        prompt: Callable[..., str],
        batch_size: int | None = None,
        workers: int | None = None,
        experts_layer: int | None = None,
        ends_batch: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Yield one result per image, in order; see `Inspector.score`."""
