"""A server on a socket: its connections, its signals and its end."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from moeclip_cli.errors import UsageError
from moeclip_cli.server.protocol import Connection

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FLUSH_SECONDS = 5  # for clients to read their answers after the last one is ready
_SPARE_FILES = 100  # open files besides connections
_MOST_FILES = 65_536
_MOST_CONNECTIONS = 4096


def listen(
    host: str, port: int, remedy: str = "Choose others with `host` and `port`."
) -> socket.socket:
    """A socket that accepts connections.

    Args:
        host: address or name of this machine.
        port: number; 0 for any free one.
        remedy: what to do if that is not possible.

    Raises:
        UsageError: if the address is not of this machine, or the port is in use or not permitted.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind)
        with suppress(OSError):  # Windows would share the port with another program
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"The server cannot listen on {host}, port {port}: {reason}. {remedy}"
        ) from error
    return found


class QuietServer(uvicorn.Server):
    """A server that prints nothing, and for which a signal to stop is not an error.

    Args:
        app: answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        # What clients do wrong is answered, not printed.
        logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
        logging.getLogger("uvicorn.error").propagate = False
        config = uvicorn.Config(
            app,
            http=cast(Any, partial(Connection, permitted_connections())),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_FLUSH_SECONDS,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle signals without raising them again at the end: stopping is not an error."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def permitted_connections() -> int:
    """Most connections, by the limit of open files, which is raised as far as permitted."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = min(_MOST_FILES, hard if hard != resource.RLIM_INFINITY else _MOST_FILES)
    if soft != resource.RLIM_INFINITY and files > soft:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
            soft = files
    available = _MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(1, min(_MOST_CONNECTIONS, available - _SPARE_FILES))
