"""A server on loopback in a thread of the test, and a client that sends exactly what it is told."""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image

from moeclip_cli.server.app import Service
from moeclip_cli.server.listening import listen
from moeclip_cli.server.products import Product
from moeclip_cli.server.running import Server
from moeclip_cli.server.settings import Limits
from support.samples import colour_picture

SECONDS = 300  # far more than anything here takes


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def problem(self, status: int) -> str:
        """The sentence of a problem document with this status."""
        assert self.status == status, self.content
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == status
        assert self.json["detail"].endswith(".")
        return self.json["detail"]


class Live:
    """A server that runs, and requests to it.

    Args:
        server: makes it of its listener and of what it calls when it is ready.
    """

    def __init__(self, server: Callable[[socket.socket, Callable[[], None]], Any]) -> None:
        self.listener = listen("127.0.0.1", 0)
        self.host, self.port = self.listener.getsockname()
        self._ready = threading.Event()
        self.server = server(self.listener, self._ready.set)
        self.thread = threading.Thread(target=self.server.run_until_stopped)

    @contextmanager
    def running(self) -> Iterator[Any]:
        self.thread.start()
        try:
            assert self._ready.wait(SECONDS)
            yield self
        finally:
            self.stop()
            self.thread.join(SECONDS)
            assert not self.thread.is_alive()

    def stop(self) -> None:
        self.server.should_exit = True

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own; an iterable body is sent in chunks."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            return reply(connection.getresponse())
        finally:
            connection.close()


class LiveServer(Live):
    """The server of `moeclip serve`."""

    def __init__(self, products: Mapping[str, Product], token: str | None, limits: Limits) -> None:
        self.lines: list[str] = []
        self.failures: list[Exception] = []
        self.service = Service(
            lambda: products, tuple(products), limits, token, self.failures.append
        )
        super().__init__(
            lambda listener, ready: Server(
                self.service, listener, self.lines.append, lambda: None, ready
            )
        )

    @contextmanager
    def running(self) -> Iterator[LiveServer]:
        with super().running():
            yield self
        assert self.failures == []

    def stop(self) -> None:
        self.server.stop()

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, headers=headers)

    def inspect(self, body: Any, query: str = "", **headers: str) -> Reply:
        return self.send("POST", f"/inspect{query}", body, headers)

    def together(self, bodies: list[bytes], query: str = "") -> list[Reply]:
        """Requests that all start at the same time."""
        start = threading.Barrier(len(bodies))

        def send(body: bytes) -> Reply:
            start.wait(SECONDS)
            return self.inspect(body, query)

        with ThreadPoolExecutor(len(bodies)) as pool:
            return list(pool.map(send, bodies))

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=SECONDS)

    def metric(self, name: str) -> float:
        """The sum of a metric over all its labels."""
        lines = self.get("/metrics").content.decode().splitlines()
        found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in found)


def reply(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def answered(connection: socket.socket) -> Reply:
    """The answer on a connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return reply(response)


def form(files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """A form with these files, and its content type."""
    parts = [
        b'--limit\r\nContent-Disposition: form-data; name="pictures"; '
        b'filename="%s"\r\n\r\n%s\r\n' % (name.encode(), content)
        for name, content in files.items()
    ]
    return b"".join([*parts, b"--limit--\r\n"]), "multipart/form-data; boundary=limit"


def png(seed: int = 0, height: int = 40, width: int = 60) -> bytes:
    """The file of a smooth colour picture."""
    stream = io.BytesIO()
    Image.fromarray(colour_picture(height, width, seed)).save(stream, "PNG")
    return stream.getvalue()


class Held:
    """An inspector that waits until it may go on, like a slow machine."""

    def __init__(self, inspector: Any) -> None:
        self._inspector = inspector
        self.go_on = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inspector, name)

    def score(self, *args: Any, **options: Any) -> Any:
        assert self.go_on.wait(SECONDS)
        return self._inspector.score(*args, **options)
