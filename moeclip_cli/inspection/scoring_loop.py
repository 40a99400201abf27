"""From a stream of images to a stream of results: read ahead, in batches, errors in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from moeclip_cli.images.pipeline import prefetch
from moeclip_cli.inspection.image_like import ImageLike
from moeclip_cli.inspection.prepared import PreparedImage, cut_batches
from moeclip_cli.inspection.result import Result
from moeclip_cli.log import LOGGER


@dataclass(frozen=True)
class ScoringLoop:
    """How images become results.

    Attributes:
        model: name of the model in tables.
        load: decodes an image; called in threads.
        inspect: gives the results of images without an error, in their order.
        batch_size: most images that `inspect` gets.
        workers: number of decoding threads; 0 for none.
        ends_batch: called once for each image, in order; True to end the batch after it.
    """

    model: str
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
            if item.error is None:
                yield next(results)
            else:
                LOGGER.warning("%s: %s", item.path or "An image in memory", item.error)
                yield Result(
                    item.path,
                    item.prompt,
                    self.model,
                    error=item.error,
                    temporary=item.temporary,
                )
