"""The server from its socket to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from moeclip_cli.errors import UsageError
from moeclip_cli.server.app import Service
from moeclip_cli.server.protocol import Connection

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FLUSH_SECONDS = 5  # for clients to read their answers after the last one is ready
_SPARE_FILES = 100  # open files besides connections
_MOST_FILES = 65_536
_MOST_CONNECTIONS = 4096


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Args:
        host: address or name of this machine.
        port: number; 0 for any free one.

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
            f"The server cannot listen on {host}, port {port}: {reason}. Choose others with `host` "
            "and `port`."
        ) from error
    return found


def run(
    service: Service,
    listener: socket.socket,
    *,
    log: Callable[[str], None],
    listening: Callable[[], None],
    ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is in hand.

    Args:
        service: what is behind the paths.
        listener: accepts connections; closed at the end.
        log: called with a line about each request.
        listening: called when connections are accepted and signals are handled.
        ready: called when the model is loaded.

    Raises:
        MoeclipError: if the model cannot be loaded, or a profile does not fit.
        KeyboardInterrupt: if SIGINT came again before all was finished.
    """
    Server(service, listener, log, listening, ready).run_until_stopped()


class Server(uvicorn.Server):
    """A server that answers during its last inspections that it is not ready any more.

    Args:
        service: as for `run`.
        listener: as for `run`.
        log: as for `run`.
        listening: as for `run`.
        ready: as for `run`.
    """

    def __init__(
        self,
        service: Service,
        listener: socket.socket,
        log: Callable[[str], None],
        listening: Callable[[], None],
        ready: Callable[[], None],
    ) -> None:
        # What clients do wrong is answered and counted, not printed.
        logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
        logging.getLogger("uvicorn.error").propagate = False
        config = uvicorn.Config(
            service.application(log),
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
        self._service, self._listener = service, listener
        self._on_listening, self._on_ready = listening, ready

    def run_until_stopped(self) -> None:
        """Serve; see `run`."""
        try:
            asyncio.run(self.serve(sockets=[self._listener]))
        finally:
            self._listener.close()
            self._service.drain()
            self._service.stop()
        if self._service.model.failure is not None:
            raise self._service.model.failure
        if self.force_exit:
            raise KeyboardInterrupt

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections and begin to load the model."""
        await super().startup(sockets)
        self._on_listening()
        loop = asyncio.get_running_loop()

        def loaded() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._loaded)

        self._service.model.start(loaded)

    def _loaded(self) -> None:
        if self._service.model.failure is not None:
            self.should_exit = True
        else:
            self._service.loaded()
            self._on_ready()

    def stop(self) -> None:
        """Finish what is in hand, and end."""
        self._service.drain()

    async def on_tick(self, counter: int) -> bool:
        """True if the server has to end, ten times a second."""
        in_hand = self._service.in_hand
        if in_hand.stopping and not in_hand.requests:
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; SIGINT for the second time ends at once."""
        if self._service.in_hand.stopping and sig == signal.SIGINT:
            self.force_exit = self.should_exit = True
        self.stop()

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
