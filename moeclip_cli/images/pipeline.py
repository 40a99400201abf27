"""Prefetching: threads decode the next images while the network processes the current ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def prefetch(
    items: Iterable[_T],
    load: Callable[[_T], _R],
    *,
    workers: int,
    ahead: int,
    name: str = "moeclip-load",
) -> Generator[_R, None, None]:
    """Apply `load` to each item in threads and yield the results in the order of the items.

    At most `ahead` items are loading or waiting at a time, so that endless inputs need constant
    memory. An exception from `load` or from the iterable is raised at its place in the order. When
    the generator is closed or an exception passes through it, waiting items are dropped and the
    threads end. Where the caller can fail between two results, close it with `contextlib.closing`:
    the traceback of the failure would keep the threads alive.

    Args:
        items: the inputs; read in the calling thread, as late as possible.
        load: function of one item; called from several threads at the same time.
        workers: number of threads; 0 loads in the calling thread, one item at a time.
        ahead: number of items in flight, at least 1.
        name: beginning of the names of the threads.

    Raises:
        ValueError: if `workers` is negative or `ahead` is less than 1.
    """
    if workers < 0 or ahead < 1:
        raise ValueError(
            f"`workers` must be at least 0 and `ahead` at least 1, not {workers} and {ahead}."
        )
    if workers == 0:
        return (load(item) for item in items)
    return _prefetch(iter(items), load, workers, ahead, name)


def _prefetch(
    items: Iterator[_T], load: Callable[[_T], _R], workers: int, ahead: int, name: str
) -> Generator[_R, None, None]:
    pending: deque[Future[_R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    try:
        pending.extend(pool.submit(load, item) for item in islice(items, ahead))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(load, item) for item in islice(items, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
