"""Actors on a Ray cluster that work through a stream of tasks; lost ones are replaced.

Plain actors rather than a Ray dataset: tasks are read as they are needed, so that their number does
not matter, results come in order, and a task of a lost actor goes to another one at once instead of
waiting until the same actor is restarted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import MoeclipError, ProcessLostError

# A task that fails this often is the cause, not the victim.
_TRIES = 3
# How long a stream waits without any actor, for example until a cluster has a new node.
PATIENCE_S = 600.0
_POLL_S = 1.0
_LONGEST_REASON = 300

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(eq=False)
class _Task(Generic[_T, _R]):
    """A task in the order of the stream; it is finished when `results` has its result."""

    content: _T
    results: list[_R]
    failures: int = 0


@dataclass(eq=False)
class _Actor:
    """An actor, which gets tasks once `started` is ready."""

    handle: Any
    started: Any
    is_ready: bool = False


class RayPool(Generic[_T, _R]):
    """Works through tasks with some actors.

    Args:
        new_actor: starts an actor with the methods `start()`, after which it takes tasks, and
            `work(task)`, which gives the result. Ray must not restart it.
        size: number of actors. They join when the cluster has room for them.
        depth: number of tasks that an actor has at a time: those it works on, and the next one.
        patience_s: time in seconds to wait while there is no actor.
        remark: called with a sentence whenever something is tried again.

    Attributes:
        retries: number of times that something was tried again.
    """

    def __init__(
        self,
        new_actor: Callable[[], Any],
        size: int,
        depth: int = 2,
        patience_s: float = PATIENCE_S,
        remark: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.retries = 0
        self._remark = remark
        self._new_actor = new_actor
        self._ahead = 2 * size * depth
        self._depth = depth
        self._patience_s = patience_s
        self._failed_starts = 0
        self._read = False
        self._running: dict[Any, tuple[_Task[_T, _R], _Actor]] = {}
        self._again: deque[_Task[_T, _R]] = deque()
        self._actors = [self._start() for _ in range(size)]

    def map(self, tasks: Iterable[_T]) -> Iterator[_R]:
        """Yield the result of each task, in order. Call it once.

        Tasks are read a few ahead. The task of an actor that is lost, or that fails for an unknown
        reason, is tried again, twice at most; its result is yielded once.

        Raises:
            MoeclipError: that an actor raised.
            ProcessLostError: if a task, or the start of an actor, is lost again and again, or no
                actor can be started.
        """
        source = iter(tasks)
        order: deque[_Task[_T, _R]] = deque()
        try:
            while True:
                self._hand_out(source, order)
                if self._read and not order:
                    return
                if order and order[0].results:
                    yield order.popleft().results[0]
                    self._collect(0)
                else:
                    self._wait()
        finally:
            for actor in self._actors:
                _end(actor)

    def _hand_out(self, source: Iterator[_T], order: deque[_Task[_T, _R]]) -> None:
        """Give tasks to the actors that have room, the ones that were lost first."""
        while actor := self._least_busy():
            task = self._again.popleft() if self._again else self._next(source, order)
            if task is None:
                return
            self._running[actor.handle.work.remote(task.content)] = (task, actor)

    def _next(self, source: Iterator[_T], order: deque[_Task[_T, _R]]) -> _Task[_T, _R] | None:
        """Read a task; None if there are no more, or enough wait for their turn."""
        if len(order) >= self._ahead:
            return None
        for content in source:
            order.append(_Task(content, []))
            return order[-1]
        self._read = True
        return None

    def _least_busy(self) -> _Actor | None:
        busy = [actor for _, actor in self._running.values()]
        ready = [actor for actor in self._actors if actor.is_ready]
        best = min(ready, key=busy.count, default=None)
        return best if best is not None and busy.count(best) < self._depth else None

    def _wait(self) -> None:
        """Wait until a task or the start of an actor has ended."""
        deadline = time.monotonic() + self._patience_s
        while not self._collect(_POLL_S):
            if not self._running and time.monotonic() > deadline:
                raise ProcessLostError(
                    f"The Ray cluster had no room for an actor for {self._patience_s:.0f} s; see "
                    "'ray status', and use `resume` to go on."
                )

    def _collect(self, seconds: float) -> bool:
        """Take what has ended, and wait for it that long; false if nothing has."""
        starting = {actor.started: actor for actor in self._actors if not actor.is_ready}
        waited_for = [*self._running, *starting]
        ended = ray.wait(waited_for, num_returns=1, timeout=seconds)[0] if waited_for else []
        for one in ended:
            if one in starting:
                self._has_started(starting[one])
            else:
                self._has_worked(one)
        return bool(ended)

    def _has_started(self, actor: _Actor) -> None:
        try:
            ray.get(actor.started)
        except RayError as error:
            self._failed_starts += 1
            self._retry(error, self._failed_starts, "An actor could not be started")
            self._replace(actor)
        else:
            actor.is_ready = True
            self._failed_starts = 0

    def _has_worked(self, one: Any) -> None:
        task, actor = self._running.pop(one)
        try:
            task.results.append(ray.get(one))
        except RayError as error:
            self._fail(task, error)
            if not isinstance(error, RayTaskError):
                self._lose(actor, error)

    def _lose(self, actor: _Actor, error: RayError) -> None:
        """Give the tasks of a lost actor to others, and start another one."""
        lost = [each for each, (_, owner) in self._running.items() if owner is actor]
        for task, _ in [self._running.pop(each) for each in lost]:
            self._fail(task, error)
        self._replace(actor)

    def _fail(self, task: _Task[_T, _R], error: RayError) -> None:
        task.failures += 1
        self._retry(error, task.failures, "A task was lost")
        self._again.append(task)

    def _retry(self, error: RayError, failures: int, what: str) -> None:
        """Raise the error if it is final, else remark that something is tried again."""
        cause = getattr(error, "cause", None) if isinstance(error, RayTaskError) else None
        if isinstance(cause, MoeclipError):
            raise cause
        if failures >= _TRIES and cause is not None:
            raise cause
        if failures >= _TRIES:
            raise ProcessLostError(
                f"{what} {failures} times, possibly because memory ran out; lower `actors` or "
                "`batch_size`, and use `resume` to go on."
            ) from error
        self.retries += 1
        self._remark(f"{what} on the Ray cluster ({_reason(cause or error)}); it is tried again.")

    def _replace(self, actor: _Actor) -> None:
        _end(actor)
        self._actors[self._actors.index(actor)] = self._start()

    def _start(self) -> _Actor:
        handle = self._new_actor()
        return _Actor(handle, handle.start.remote())


def _reason(error: BaseException) -> str:
    name = type(error).__name__
    return name if isinstance(error, RayError) else shortened(f"{name}: {error}", _LONGEST_REASON)


def _end(actor: _Actor) -> None:
    """End an actor, which may be gone already."""
    with suppress(RayError, ValueError):
        ray.kill(actor.handle, no_restart=True)
