"""From a stream of images to a stream of results: read ahead, in batches, errors in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.grading import Grading
from moeclip_cli.inspection.image_like import ImageLike
from moeclip_cli.inspection.prepared import PreparedImage, cut_batches
from moeclip_cli.inspection.result import Result


@dataclass(frozen=True)
class ScoringLoop:
    """How images become results.

    Attributes:
        grading: gives the results of images with an error.
        load: decodes an image; called in threads.
        inspect: gives the results of images without an error, in their order.
        batch_size: most images that `inspect` gets.
        workers: number of decoding threads; 0 for none.
        ends_batch: called once for each image, in order; True to end the batch after it.
    """

    grading: Grading
    load: Callable[[ImageLike], PreparedImage]
    inspect: Callable[[list[PreparedImage]], Iterable[Result]]
    batch_size: int
    workers: int
    ends_batch: Callable[[], bool] | None = None

    def results(self, images: Iterable[ImageLike]) -> Iterator[Result]:
        """One result per image, in order, including failed ones."""
        ahead = 2 * self.batch_size
        # One batch is in the network, the next one is ready.
        loading = prefetch(images, self.load, workers=self.workers, ahead=ahead)
        with closing(loading) as prepared:
            for batch in cut_batches(prepared, self.batch_size, self.ends_batch):
                yield from self._of_batch(batch)

    def _of_batch(self, batch: list[PreparedImage]) -> Iterator[Result]:
        results = iter(self.inspect([item for item in batch if item.error is None]))
        for item in batch:
            yield next(results) if item.error is None else self.grading.unread(item)
