"""What the server has in hand, and the refusal of more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from moeclip_cli.server.problems import RETRY, ProblemError
from moeclip_cli.server.settings import Limits


class InHand:
    """Counts of requests, pictures and bytes. For the thread of the event loop only.

    Args:
        limits: the bounds.

    Attributes:
        requests: inspections that were admitted and not yet answered.
        pictures: pictures of them whose bodies have arrived.
        bytes: bytes of their bodies.
        stopping: whether the server finishes what is in hand and admits nothing.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = self.pictures = self.bytes = 0
        self.stopping = False

    @contextmanager
    def request(self) -> Iterator[None]:
        """Admit an inspection for the block.

        Raises:
            ProblemError: if the server stops, or the queue is full.
        """
        if self.stopping:
            raise ProblemError(503, "The server is stopping; use another one.", RETRY)
        self._require_room(1)
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def queued(self, pictures: int) -> Iterator[None]:
        """Count pictures for the block.

        Raises:
            ProblemError: if the queue is full.
        """
        if pictures > self.limits.queue:
            raise ProblemError(
                413, f"A request may contain {self.limits.queue} pictures; send several requests."
            )
        self._require_room(pictures)
        self.pictures += pictures
        try:
            yield
        finally:
            self.pictures -= pictures

    @contextmanager
    def body(self, request: Request) -> Iterator[AsyncGenerator[bytes, None]]:
        """The parts of a body as they arrive, counted until the end of the block.

        Raises:
            ProblemError: at once or while iterating, if the body, or all together, are too large.
        """
        declared = int(request.headers.get("content-length", 0))
        if declared > self.limits.max_bytes:
            raise self._too_large()
        held = 0

        async def parts() -> AsyncGenerator[bytes, None]:
            nonlocal held
            async for part in request.stream():
                held += len(part)
                self.bytes += len(part)
                if held > self.limits.max_bytes:
                    raise self._too_large()
                if self.bytes > self.limits.held_bytes:
                    raise ProblemError(429, "Too many bodies arrive at once; try again.", RETRY)
                yield part

        try:
            yield parts()
        finally:
            self.bytes -= held

    def _require_room(self, pictures: int) -> None:
        if self.pictures + pictures > self.limits.queue:
            raise ProblemError(
                429,
                f"{self.limits.queue} pictures are waiting, which is the limit; try again.",
                RETRY,
            )

    def _too_large(self) -> ProblemError:
        return ProblemError(
            413,
            f"The body has more than {self.limits.max_bytes:,} bytes; send a smaller picture, or "
            "raise --max-bytes of the server.",
        )
