"""The review page from its socket to its end."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from moeclip_cli.choices import Language
from moeclip_cli.review.app import Review
from moeclip_cli.review.labels import LabelJournal
from moeclip_cli.review.results import LiveResults
from moeclip_cli.server.listening import QuietServer, listen

HOST = "127.0.0.1"
_TOKEN_BYTES = 24


class ReviewServer(QuietServer):
    """The server of one page.

    Args:
        review: the page.
        listener: accepts connections; closed at the end.
        listening: called when connections are accepted and signals are handled.
    """

    def __init__(
        self, review: Review, listener: socket.socket, listening: Callable[[], None]
    ) -> None:
        super().__init__(review.application())
        self._review, self._listener, self._on_listening = review, listener, listening

    def run_until_stopped(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises:
            KeyboardInterrupt: if SIGINT came again before all requests were answered.
        """
        try:
            asyncio.run(self.serve(sockets=[self._listener]))
        finally:
            self._listener.close()
            self._review.references.stop()
            self._review.applier.stop()
        if self.force_exit:
            raise KeyboardInterrupt

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        await super().startup(sockets)
        self._on_listening()


def serve_review(
    folder: Path,
    *,
    port: int,
    language: Language | None,
    explain: Callable[[BaseException], str],
    listening: Callable[[str], None],
) -> None:
    """Serve the page over an output folder until SIGINT or SIGTERM.

    Args:
        folder: the output folder of `moeclip score`.
        port: number; 0 for any free one.
        language: of the page; None for that of the run's report.
        explain: the sentence about an exception.
        listening: called with the address of the page once it can be opened.

    Raises:
        UsageError: if the folder is not one, or has no results; if another process reviews it, or
            its labels cannot be read or written; if the port is in use.
        KeyboardInterrupt: if SIGINT came again before all requests were answered.
    """
    results = LiveResults(folder)
    with LabelJournal(folder) as labels:
        listener = listen(HOST, port, "Choose another `port`, or omit it.")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        report = results.run.environment.get("report", {})
        review = Review(results, labels, token, language or report.get("language", "en"), explain)
        address = f"http://{HOST}:{listener.getsockname()[1]}/{token}/"
        ReviewServer(review, listener, lambda: listening(address)).run_until_stopped()
