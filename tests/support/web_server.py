"""A web server on loopback with pictures, and the ways in which one fails."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class WebServer:
    """What the server has.

    Attributes:
        url: its address.
        files: content by path.
        redirects: other path by path.
        statuses: HTTP status by path, for what fails.
        silent: paths that are never answered.
        endless: paths whose content never ends.
        versions: whether answers have an ETag.
        requests: "METHOD path?query" of every request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    endless: set[str] = field(default_factory=set)
    versions: bool = True
    requests: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_web_server() -> Iterator[WebServer]:
    """A server on a free port of loopback, for as long as the block lasts."""
    web = WebServer()
    handler = type("Handler", (_Handler,), {"web": web})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            web.stopped.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    web: WebServer

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        web, path = self.web, urlsplit(self.path).path
        web.requests.append(f"{self.command} {self.path}")
        if path in web.silent:
            web.stopped.wait(10)
        elif path in web.redirects:
            self.send_response(302)
            self.send_header("Location", web.redirects[path])
            self.end_headers()
        elif path in web.endless:
            self._send_forever()
        elif path in web.statuses or path not in web.files:
            self.send_error(web.statuses.get(path, 404))
        else:
            self._send(web.files[path] if body else b"", len(web.files[path]))

    def _send(self, content: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        if self.web.versions:
            whole = self.web.files[urlsplit(self.path).path]
            self.send_header("ETag", hashlib.sha1(whole).hexdigest())
        self.end_headers()
        self.wfile.write(content)

    def _send_forever(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while self.command == "GET" and not self.web.stopped.is_set():
                self.wfile.write(bytes(1 << 20))
                time.sleep(0.01)
        except OSError:
            pass  # the client has gone
