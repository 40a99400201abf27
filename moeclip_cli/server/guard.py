"""What every request passes: the token, and the count of its answer."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moeclip_cli.server.metrics import Metrics
from moeclip_cli.server.problems import ProblemError

OPEN_PATHS = ("/health", "/ready")
"""Paths that need no token, as probes have none."""

_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Guard:
    """Middleware around the whole application.

    Args:
        app: the application.
        token: what clients have to send as `Authorization: Bearer TOKEN`; None for nothing.
        paths: known paths; all others are counted together.
        metrics: where requests are counted.
        log: called with a line about each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        paths: frozenset[str],
        metrics: Metrics,
        log: Callable[[str], None],
    ) -> None:
        self._app, self._paths, self._metrics, self._log = app, paths, metrics, log
        self._expected = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.perf_counter()
        status = 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        try:
            if self._permits(scope):
                await self._app(scope, receive, counted)
            else:
                await _unauthorised().response()(scope, receive, counted)
        finally:
            seconds = time.perf_counter() - started
            path = scope["path"] if scope["path"] in self._paths else "other"
            if status:  # not if the client has gone
                self._metrics.request(path, status, seconds)
            self._log(f"{scope['method']} {path} {status or 'client has gone'} {seconds:.3f} s")

    def _permits(self, scope: Scope) -> bool:
        if self._expected is None or scope["path"] in OPEN_PATHS:
            return True
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        kind, _, token = b"".join(sent).partition(b" ")
        # In constant time, so that the time of an answer tells nothing about the token.
        return kind.lower() == b"bearer" and hmac.compare_digest(token, self._expected)


def _unauthorised() -> ProblemError:
    return ProblemError(
        401,
        "The token is missing or wrong; send the header Authorization: Bearer TOKEN.",
        {"www-authenticate": "Bearer"},
    )
