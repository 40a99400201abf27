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
        overlap: whether a thread of its own calls `inspect` for the next batch while the caller
            deals with the results of this one, so that a GPU does not wait for them. On a CPU,
            where the network keeps all cores busy, that gains nothing.
    """

    grading: Grading
    load: Callable[[ImageLike], PreparedImage]
    inspect: Callable[[list[PreparedImage]], Iterable[Result]]
    batch_size: int
    workers: int
    ends_batch: Callable[[], bool] | None = None
    overlap: bool = False

    def results(self, images: Iterable[ImageLike]) -> Iterator[Result]:
        """One result per image, in order, including failed ones."""
        ahead = 2 * self.batch_size
        # One batch is in the network, the next one is ready.
        loading = prefetch(images, self.load, workers=self.workers, ahead=ahead)
        with closing(loading) as prepared:
            cut = cut_batches(prepared, self.batch_size, self.ends_batch)
            inspecting = prefetch(
                cut, self._inspected, workers=int(self.overlap), ahead=2, name="moeclip-network"
            )
            with closing(inspecting) as inspected:
                for batch, found in inspected:
                    yield from self._in_order(batch, iter(found))

    def _inspected(
        self, batch: list[PreparedImage]
    ) -> tuple[list[PreparedImage], Iterable[Result]]:
        return batch, self.inspect([item for item in batch if item.error is None])

    def _in_order(self, batch: list[PreparedImage], found: Iterator[Result]) -> Iterator[Result]:
        for item in batch:
            yield next(found) if item.error is None else self.grading.unread(item)
