"""Connections that cannot be held open for nothing.

uvicorn leaves some of this to a proxy: a client that never finishes the head of its request, does
not end a body that was refused, or does not read the answer, would keep its connection forever.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from moeclip_cli.server.problems import MEDIA_TYPE, problem_document

IDLE_SECONDS = 10.0
"""Time for the head of a request, for the rest of a refused body, and to read part of an answer."""


class Connection(H11Protocol):
    """A connection with a client.

    Args:
        most_connections: number of connections above which new ones are refused.
        args: of uvicorn.
        kwargs: of uvicorn.
    """

    def __init__(self, most_connections: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = most_connections
        self._unsent = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Refuse a connection above the limit."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self._refuse(503, "There are too many connections; try again.")
        self._restart_watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Give the client its time anew."""
        super().on_response_complete()
        self._restart_watch()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(400, f"{msg.rstrip('.')}; use a library for HTTP/1.1.")

    def _refuse(self, status: int, detail: str) -> None:
        body = problem_document(status, detail)
        headers = {
            "content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close",
        }  # fmt: skip
        events = (
            h11.Response(status_code=status, headers=list(headers.items())),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        try:
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer was sent before
            self.transport.abort()
        else:
            self.transport.close()

    def _restart_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._unsent = self.transport.get_write_buffer_size()
        self._watch = self.loop.call_later(IDLE_SECONDS, self._end_if_idle)

    def _end_if_idle(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or 0 < self.transport.get_write_buffer_size() < self._unsent:
            self._restart_watch()
        else:
            self.transport.abort()
