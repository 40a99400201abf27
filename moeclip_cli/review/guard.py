"""What every request of the page passes: the address, the token, and the headers of its answer."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moeclip_cli.server.problems import ProblemError

_HOSTS = ("127.0.0.1", "localhost", "::1")
_WRITES = ("POST", "PUT", "DELETE", "PATCH")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # the address contains the token
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """Middleware around the whole application, whose paths begin with the token.

    A page of another site that has pointed its name at this machine sends that name as the host,
    and is refused.

    Args:
        app: the application, which sees paths without the token.
        token: first part of every path.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
                if not any(name == b"cache-control" for name, _ in message["headers"]):
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        token, slash, rest = scope["path"].removeprefix("/").partition("/")
        refusal = self._refusal(scope, token)
        if refusal is not None:
            await ProblemError(403, refusal).response()(scope, receive, with_headers)
            return
        if not slash:
            await RedirectResponse(f"/{token}/")(scope, receive, with_headers)
            return
        path = f"/{rest}"
        inner = {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogateescape")}
        await self._app(inner, receive, with_headers)

    def _refusal(self, scope: Scope, token: str) -> str | None:
        """Why a request is not answered; None if it is."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name(host) not in _HOSTS:
            return "This address is not of this machine; open the address that moeclip has printed."
        # In constant time, so that the time of an answer tells nothing about the token.
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token):
            return "The token is missing or wrong; open the address that moeclip has printed."
        origin = headers.get("origin")
        if scope["method"] in _WRITES and origin not in (None, f"http://{host}"):
            return "Another site has sent this; use the page of moeclip."
        return None


def _name(host: str) -> str | None:
    """The host name of a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
