"""Distributed world: rank, work shares, broadcast and gather."""

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
from moeclip_cli.parallel.device import choose_device

# Set for every process by `moeclip_cli.parallel.launch`, `accelerate launch` and torchrun.
_RANK, _LOCAL_RANK, _WORLD = "RANK", "LOCAL_RANK", "WORLD_SIZE"
_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")

# All processes start within seconds of each other.
_RENDEZVOUS_TIMEOUT = timedelta(minutes=5)
# Later on, one process may wait long for another's work. A lost process is noticed immediately.
_WORK_TIMEOUT = timedelta(days=7)

_T = TypeVar("_T")


class Mergeable(Protocol):
    """Partial result of one process that can be merged with those of others."""

    def merge(self, other: Any) -> None:
        """Merge another process's partial result into this one."""


_M = TypeVar("_M", bound=Mergeable)


def is_main_process() -> bool:
    """Return True if this process writes the files and the terminal output."""
    return int(os.environ.get(_RANK, 0)) == 0


def process_count() -> int:
    """Return the number of processes in this run; 1 unless a launcher sets it."""
    return int(os.environ.get(_WORLD, 1))


def process_device(name: str) -> torch.device:
    """Return the device named `name`; in a run of several processes, this process's own GPU.

    Raises:
        UsageError: if the device is not available.
    """
    device = choose_device(name)
    if device.type == "cuda" and process_count() > 1:
        device = choose_device(f"cuda:{int(os.environ.get(_LOCAL_RANK, 0))}")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


class World:
    """The processes of a run as seen from one of them; a single one unless made by `join_world`.

    All processes must make the same calls in the same order and never two at a time, except
    `add_to_count`, which any thread may call at any time.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1, store: dist.Store | None = None) -> None:
        self.rank = rank
        self.size = size
        self._store = store
        self._count = 0

    def share(self, items: int, batch: int) -> slice:
        """Return this process's share of `items` items: whole batches, distributed evenly.

        Every batch is the one that a single process would form, so the results are identical to the
        last bit. The shares of all processes, concatenated by rank, are the items in order.
        """
        batches = -(-items // batch)
        start, end = (batches * rank // self.size for rank in (self.rank, self.rank + 1))
        return slice(start * batch, end * batch)

    def broadcast(self, value: _T | None) -> _T:
        """Return the value of the first process; the others pass None.

        Raises:
            ProcessLostError: if another process has ended.
        """
        box: list[Any] = [value]
        if self.size > 1:
            with _lost_process_errors():
                dist.broadcast_object_list(box, src=0)
        received: _T = box[0]
        return received

    def gather(self, part: _M) -> _M | None:
        """Merge the parts of all processes by rank on the first one; return None on the others.

        The parts are sent one after the other, so that at most two are in memory.

        Raises:
            ProcessLostError: if another process has ended.
        """
        if self.rank > 0:
            with _lost_process_errors():
                dist.send_object_list([part], dst=0)
            return None
        for rank in range(1, self.size):
            box: list[Any] = [None]
            with _lost_process_errors():
                dist.recv_object_list(box, src=rank)
            part.merge(box[0])
        return part

    def add_to_count(self, number: int) -> int:
        """Add to a counter that all processes share; return its new value.

        Raises:
            ProcessLostError: if the first process has ended.
        """
        if self._store is None:
            self._count += number
            return self._count
        with _lost_process_errors():
            return self._store.add("moeclip/count", number)


@contextmanager
def join_world() -> Iterator[World]:
    """Yield the world of this process once all processes have joined; leave it together.

    After an error this process leaves immediately, and the others notice that it has ended.

    Raises:
        UsageError: if the launcher has not set how to reach the other processes.
        ProcessLostError: if the other processes do not join, or end early.
    """
    if process_count() == 1:
        yield World()
        return
    missing = [name for name in (_RANK, *_ADDRESS) if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"{_WORLD} requests {process_count()} processes, but {missing[0]} is not set; set "
            "`processes` instead, or start with accelerate launch or torchrun."
        )
    store, rank, size = _rendezvous()
    store.set_timeout(_WORK_TIMEOUT)
    with _lost_process_errors():
        dist.init_process_group(
            "gloo", store=store, rank=rank, world_size=size, timeout=_WORK_TIMEOUT
        )
    try:
        yield World(rank, size, store)
        with _lost_process_errors():
            dist.barrier()
    finally:
        dist.destroy_process_group()


def _rendezvous() -> tuple[dist.Store, int, int]:
    """Wait for all processes; return their shared store, this process's rank and their number."""
    rendezvous: Future[tuple[dist.Store, int, int]] = Future()

    def wait() -> None:
        try:
            rendezvous.set_result(next(dist.rendezvous("env://", timeout=_RENDEZVOUS_TIMEOUT)))
        except (OSError, RuntimeError, ValueError) as error:
            rendezvous.set_exception(error)

    # Ctrl-C cannot interrupt a wait inside torch, but it can interrupt the wait for a thread.
    threading.Thread(target=wait, name="moeclip-rendezvous", daemon=True).start()
    try:
        return rendezvous.result()
    except RuntimeError as error:
        raise ProcessLostError(
            f"Not all of the {process_count()} processes joined within "
            f"{_RENDEZVOUS_TIMEOUT.seconds // 60} minutes; check that each one has started and can "
            f"reach {':'.join(os.environ[name] for name in _ADDRESS)}."
        ) from error


@contextmanager
def _lost_process_errors() -> Iterator[None]:
    """Turn torch's errors about a closed connection into ProcessLostError within the block."""
    try:
        yield
    except RuntimeError as error:
        raise ProcessLostError(
            "Another process of this run has ended early; see its error message for the cause."
        ) from error
