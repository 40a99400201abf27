"""The server from its socket to its end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from moeclip_cli.server.app import Service
from moeclip_cli.server.listening import QuietServer


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


class Server(QuietServer):
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
        super().__init__(service.application(log))
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
