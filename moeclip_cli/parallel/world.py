"""The processes that share one piece of work, and how they exchange what each has found."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist

from moeclip_cli.errors import ProcessLostError, UsageError
from moeclip_cli.inspection.device import choose_device

# Set for every process by `--processes`, `accelerate launch` and torchrun.
_RANK, _LOCAL_RANK, _WORLD = "RANK", "LOCAL_RANK", "WORLD_SIZE"
_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")

# Processes start within seconds of each other; then one may wait for the work of another one. That
# one has ended is noticed at once, however long the patience.
_MEETING = timedelta(minutes=5)
_PATIENCE = timedelta(days=7)

_T = TypeVar("_T")


class Mergeable(Protocol):
    """What one process has found of something; the parts can be joined."""

    def merge(self, other: Any) -> None:
        """Take in what another process has found."""


_M = TypeVar("_M", bound=Mergeable)


def is_main_process() -> bool:
    """Whether this process writes files and speaks to the user."""
    return int(os.environ.get(_RANK, 0)) == 0


def process_count() -> int:
    """How many processes work together; this one alone unless a launcher says otherwise."""
    return int(os.environ.get(_WORLD, 1))


def process_device(name: str) -> torch.device:
    """The device called `name`, or this process's GPU where several processes work together.

    Raises:
        UsageError: if there is no such device.
    """
    device = choose_device(name)
    if device.type == "cuda" and process_count() > 1:
        device = choose_device(f"cuda:{int(os.environ.get(_LOCAL_RANK, 0))}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


class World:
    """This process among those that share its work; alone unless made by `meet`.

    All processes must make the same calls in the same order, and never two at a time, but for
    `count`, which any thread may call at any time.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1, store: dist.Store | None = None) -> None:
        self.rank = rank
        self.size = size
        self._store = store
        self._counted = 0

    def share(self, items: int, batch: int) -> slice:
        """Which of `items` things this process does: whole batches, as evenly as they go.

        So every batch is one that a single process would form, and gives the same numbers to the
        last bit. The shares of all processes, joined by rank, are the items in order.
        """
        batches = -(-items // batch)
        start, end = (batches * rank // self.size for rank in (self.rank, self.rank + 1))
        return slice(start * batch, end * batch)

    def from_first(self, value: _T | None) -> _T:
        """What the first process gives; the others give None.

        Raises:
            ProcessLostError: if a process has ended.
        """
        box: list[Any] = [value]
        if self.size > 1:
            with _losses():
                dist.broadcast_object_list(box, src=0)
        found: _T = box[0]
        return found

    def merged(self, part: _M) -> _M | None:
        """On the first process, its part with those of all others taken in by rank; else None.

        The parts travel one after the other, so that no more than two are in memory.

        Raises:
            ProcessLostError: if a process has ended.
        """
        if self.rank > 0:
            with _losses():
                dist.send_object_list([part], dst=0)
            return None
        for rank in range(1, self.size):
            box: list[Any] = [None]
            with _losses():
                dist.recv_object_list(box, src=rank)
            part.merge(box[0])
        return part

    def count(self, number: int) -> int:
        """Add to a count that all processes share; returns where it stands.

        Raises:
            ProcessLostError: if the first process has ended.
        """
        if self._store is None:
            self._counted += number
            return self._counted
        with _losses():
            return self._store.add("moeclip/count", number)


@contextmanager
def meet() -> Iterator[World]:
    """The world of this process, once all are there; at the end none leaves before the others.

    After an error nobody is waited for: the others notice that this process has ended.

    Raises:
        UsageError: if a launcher has left out how to reach the others.
        ProcessLostError: if the others do not come, or end before their time.
    """
    if process_count() == 1:
        yield World()
        return
    missing = [name for name in (_RANK, *_ADDRESS) if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"{_WORLD} asks for {process_count()} processes, but {missing[0]} is not set; start "
            "with --processes, accelerate launch or torchrun."
        )
    store, rank, size = _rendezvous()
    store.set_timeout(_PATIENCE)
    with _losses():
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield World(rank, size, store)
        with _losses():
            dist.barrier()
    finally:
        dist.destroy_process_group()


def _rendezvous() -> tuple[dist.Store, int, int]:
    """The store that all processes share, once all are there; this one's number; how many."""
    met: Future[tuple[dist.Store, int, int]] = Future()

    def wait() -> None:
        try:
            met.set_result(next(dist.rendezvous("env://", timeout=_MEETING)))
        except (OSError, RuntimeError, ValueError) as error:
            met.set_exception(error)

    # Ctrl-C does not get through while torch waits, but while this thread is waited for.
    threading.Thread(target=wait, name="moeclip-meeting", daemon=True).start()
    try:
        return met.result()
    except RuntimeError as error:
        raise ProcessLostError(
            f"The {process_count()} processes did not come together within "
            f"{_MEETING.seconds // 60} minutes; see whether each of them has started and reaches "
            f"{':'.join(os.environ[name] for name in _ADDRESS)}."
        ) from error


@contextmanager
def _losses() -> Iterator[None]:
    """Within the block, what torch raises where a connection ends is a lost process."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(
            "Another process of this run has ended before its time; what it said is the cause."
        ) from error
