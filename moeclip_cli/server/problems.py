"""Errors as problem documents (RFC 9457): a status and one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY = {"retry-after": "1"}
"""Header of an answer that says that the same request may succeed later; in seconds."""


class ProblemError(Exception):
    """An answer other than success.

    Args:
        status: HTTP status code.
        detail: one sentence, what is wrong and what to do.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> Response:
        """The answer."""
        body = problem_document(self.status, self.detail)
        return Response(body, self.status, self.headers, MEDIA_TYPE)


def problem_document(status: int, detail: str) -> bytes:
    """The body of an answer with this status; ASCII."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return json.dumps({"type": "about:blank", **content}).encode()
