"""A Hugging Face hub on loopback, with the part of its protocol that model downloads use."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub.constants
import huggingface_hub.file_download


@dataclass
class HubServer:
    """The files of the hub and its simulated failures.

    Attributes:
        url: its address, for HF_ENDPOINT.
        files: content by (repository, revision, path).
        broken: number of bytes sent before the connection drops, by path.
        recovers: whether a dropped download succeeds next time; otherwise it gets HTTP 503.
        nonsense: whether every response is a web page, as behind a login portal.
        requests: "METHOD /path" of every request, in order.
    """

    url: str = ""
    files: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    recovers: bool = False
    nonsense: bool = False
    requests: list[str] = field(default_factory=list)

    def add(self, repo: str, path: str, content: bytes, revision: str = "main") -> None:
        """Put a file into a repository."""
        self.files[repo, revision, path] = content

    def commit(self, repo: str, revision: str) -> str:
        """The commit that a revision points to: a hash of what it holds."""
        digest = hashlib.sha1(f"{repo} {revision}".encode())
        for path, content in sorted(self.listing(repo, revision).items()):
            digest.update(path.encode() + content)
        return digest.hexdigest()

    def listing(self, repo: str, revision: str) -> dict[str, bytes]:
        """Content by path of a revision, or of the commit that it points to."""
        revisions = {r for other, r, _ in self.files if other == repo}
        if revision not in revisions:
            revision = {self.commit(repo, r): r for r in revisions}.get(revision, revision)
        return {p: c for (other, r, p), c in self.files.items() if (other, r) == (repo, revision)}

    def use(self, monkeypatch: Any, cache: Any) -> None:
        """Point this process's hub client here, as HF_ENDPOINT and HF_HUB_CACHE would."""
        point_hub_at(self.url, monkeypatch, cache)


def point_hub_at(url: str, monkeypatch: Any, cache: Any) -> None:
    """Point this process's hub client at an address; the variables are read on import only."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    # Releases before 1.0 download with a copy of the template.
    for module in (constants, huggingface_hub.file_download):
        monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


@contextmanager
def running_hub() -> Iterator[HubServer]:
    """A hub on a free port of loopback, for as long as the block lasts."""
    hub = HubServer()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, *args: object) -> None:
        """Standard error belongs to what is tested."""

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.nonsense:
            self._send(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
            return
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            repo = "/".join(parts[2:4])
            revision = "/".join(parts[5:]) or "main"
            self._describe(repo, revision)
        elif parts[2:3] == ["resolve"]:
            self._send_file("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)
        else:
            self._send(404, b"", {})

    def _describe(self, repo: str, revision: str) -> None:
        if self._missing(repo, revision):
            return
        siblings = [{"rfilename": path} for path in sorted(self.hub.listing(repo, revision))]
        about = {"id": repo, "sha": self.hub.commit(repo, revision), "siblings": siblings}
        self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"})

    def _send_file(self, repo: str, revision: str, path: str, body: bool) -> None:
        if self._missing(repo, revision):
            return
        content = self.hub.listing(repo, revision).get(path)
        headers = {"X-Repo-Commit": self.hub.commit(repo, revision)}
        if content is None:
            self._send(404, b"", {**headers, "X-Error-Code": "EntryNotFound"})
            return
        start, status = 0, 200
        total = len(content)
        headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        headers["Accept-Ranges"] = "bytes"
        if wanted := self.headers.get("Range"):
            start, status = int(wanted.removeprefix("bytes=").partition("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        cut = self.hub.broken.get(path)
        if body and cut == 0:
            self._send(503, b"", {})
            return
        self._send(status, content[start:], headers, body=body, cut=cut)
        if body and cut is not None:
            self._after_break(path)

    def _after_break(self, path: str) -> None:
        if self.hub.recovers:
            del self.hub.broken[path]
        else:
            self.hub.broken[path] = 0

    def _missing(self, repo: str, revision: str) -> bool:
        """Respond with 404 and return True if the repository or revision does not exist."""
        if not any(other == repo for other, _, _ in self.hub.files):
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif not self.hub.listing(repo, revision):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            return False
        return True

    def _send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str],
        *,
        body: bool = True,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body and self.command == "GET":
            self.wfile.write(content[:cut])
