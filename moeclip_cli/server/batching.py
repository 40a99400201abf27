"""Batches of pictures that arrive at about the same time, and the thread that owns the model."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.inspection.result import Result
from moeclip_cli.server.products import LoadProducts, Product

BATCH_SECONDS = 0.010
"""Time for which the first picture of a batch waits for others."""


@dataclass(frozen=True, eq=False)
class _Job:
    product: Product
    pixels: NDArray[np.uint8]
    result: Future[Result] = field(default_factory=Future)


class ModelThread:
    """A thread that loads the model and scores decoded pictures in batches.

    Args:
        load: gives the products; called in the thread.
        batch_size: most pictures in a batch; None for the default of the device.
        observe: called in the thread with the number of pictures in each batch.

    Attributes:
        products: by name; empty until they are loaded.
        failure: what kept the thread from loading them, if anything.
    """

    def __init__(
        self, load: LoadProducts, batch_size: int | None, observe: Callable[[int], None]
    ) -> None:
        self.products: Mapping[str, Product] = {}
        self.failure: BaseException | None = None
        self._load, self._batch_size, self._observe = load, batch_size, observe
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # A model that takes minutes to load must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="moeclip-model", daemon=True)

    def start(self, done: Callable[[], None]) -> None:
        """Start the thread.

        Args:
            done: called in the thread when the products are loaded, or cannot be.
        """
        self._done = done
        self._thread.start()

    @property
    def batch_size(self) -> int:
        """Most pictures in a batch, once the products are loaded."""
        defaults = (each.inspector.default_batch_size for each in self.products.values())
        return self._batch_size or max(defaults)

    def submit(self, product: Product, pixels: NDArray[np.uint8]) -> Future[Result]:
        """Score a picture with the next batch.

        Args:
            product: whose model and threshold count.
            pixels: (H, W, 3) uint8 RGB.
        """
        job = _Job(product, pixels)
        self._jobs.put(job)
        return job.result

    def stop(self) -> None:
        """End the thread after the pictures that were submitted; at once while it loads."""
        self._jobs.put(None)
        if self.products:
            self._thread.join()

    def _run(self) -> None:
        try:
            self.products = self._load()
        except BaseException as error:  # noqa: BLE001 - raised again where the server ends
            self.failure = error
            return
        finally:
            self._done()
        stopping = False
        while not stopping:
            batch = self._next_batch()
            stopping = None in batch
            self._score([job for job in batch if job is not None])

    def _next_batch(self) -> list[_Job | None]:
        """Jobs until the batch is full, the time is over, or None, which asks to stop."""
        batch = [self._jobs.get()]
        end = time.monotonic() + BATCH_SECONDS
        while batch[-1] is not None and len(batch) < self.batch_size:
            try:
                batch.append(self._jobs.get(timeout=max(0, end - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def _score(self, jobs: list[_Job]) -> None:
        for product in dict.fromkeys(job.product for job in jobs):
            own = [job for job in jobs if job.product is product]
            self._observe(len(own))
            try:
                results = list(
                    product.inspector.score(
                        [job.pixels for job in own],
                        prompt=product.prompt,
                        batch_size=self.batch_size,
                        workers=0,
                    )
                )
            except Exception as error:  # noqa: BLE001 - the thread goes on; the clients are told
                for job in own:
                    job.result.set_exception(error)
            else:
                for job, result in zip(own, results, strict=True):
                    job.result.set_result(result)
