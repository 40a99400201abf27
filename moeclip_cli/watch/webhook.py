"""A webhook: messages as signed HTTP requests, as in the Standard Webhooks specification 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from moeclip_cli._version import __version__
from moeclip_cli.errors import UsageError
from moeclip_cli.watch.delivery import DeliveryError, RefusedError
from moeclip_cli.watch.outbox import Message

SECRET_VARIABLE = "MOECLIP_WEBHOOK_SECRET"

_TIMEOUT_SECONDS = 10.0
_PREFIX = "whsec_"
# The content is at fault, so that another attempt would end the same way.
_REFUSALS = (400, 413, 415, 422)


class Webhook:
    """Sends messages by POST.

    The headers are `webhook-id`, `webhook-timestamp` (seconds since 1970) and, with a secret,
    `webhook-signature`: "v1," and the Base64 of HMAC-SHA256 over "id.timestamp.body".

    Args:
        url: where to; http or https.
        secret: key of the signature, as text or as `whsec_` and its Base64; None for no signature.

    Raises:
        UsageError: if the URL or the secret is invalid.
    """

    name = "webhook"
    folder = "webhook"

    def __init__(self, url: str, secret: str | None) -> None:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and not parts.username
        except ValueError:
            valid = False
        if not valid:
            raise UsageError(
                "`webhook` must be an http or https address without a user name, such as "
                "https://line.example/inspections."
            )
        self._url = url
        self._key = None if not secret else _key(secret)
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, message: Message) -> None:
        """Deliver a message.

        Raises:
            DeliveryError: if there is no connection, or the answer is not a success.
            RefusedError: if the answer is that the content is wrong.
        """
        body = message.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"moeclip/{__version__}",
            **self._signed(message.id, int(time.time()), body),
        }
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            kind = RefusedError if error.code in _REFUSALS else DeliveryError
            raise kind(f"HTTP {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(str(getattr(error, "reason", "") or error)) from error

    def close(self) -> None:
        """Each message has a connection of its own."""

    def _signed(self, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
        headers = {"webhook-id": identifier, "webhook-timestamp": str(timestamp)}
        if self._key is None:
            return headers
        signed = f"{identifier}.{timestamp}.".encode() + body
        digest = hmac.new(self._key, signed, hashlib.sha256).digest()
        return {**headers, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirection an error: the request that follows it would have no body."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Follow no redirection."""


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise UsageError(
            f"The variable {SECRET_VARIABLE} starts with {_PREFIX}, but the rest is not Base64."
        ) from error
