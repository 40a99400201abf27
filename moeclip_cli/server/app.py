"""The paths of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from moeclip_cli._version import __version__
from moeclip_cli.bounded_text import shortened
from moeclip_cli.errors import MoeclipError
from moeclip_cli.server.batching import ModelThread
from moeclip_cli.server.guard import Guard
from moeclip_cli.server.inspections import Answer, Inspections
from moeclip_cli.server.limits import InHand
from moeclip_cli.server.metrics import Metrics
from moeclip_cli.server.openapi import openapi_document
from moeclip_cli.server.pictures import Picture, is_form, read_pictures
from moeclip_cli.server.problems import RETRY, ProblemError
from moeclip_cli.server.products import LoadProducts, Product
from moeclip_cli.server.settings import Limits

_SWITCH = {"0": False, "1": True, "false": False, "true": True}
_PARAMETERS = ("profile", "overlay")
_GONE = 499  # counted, but not sent: nobody is there


class Service:
    """The model behind the paths, from loading to stopping.

    Args:
        load: gives the products by name.
        names: of the products, known before they are loaded.
        limits: bounds on what clients may ask.
        token: what clients have to send; None for nothing.
        report: called with an exception that is no fault of a client.

    Attributes:
        in_hand: requests in work.
        model: the thread that scores.
        metrics: counts.
    """

    def __init__(
        self,
        load: LoadProducts,
        names: tuple[str, ...],
        limits: Limits,
        token: str | None,
        report: Callable[[Exception], None],
    ) -> None:
        self.names, self.limits, self.token, self._report = names, limits, token, report
        self.in_hand = InHand(limits)
        self.metrics = Metrics(self.in_hand)
        self.model = ModelThread(load, limits.batch_size, self.metrics.batches.observe)
        self._inspections: Inspections | None = None

    def loaded(self) -> None:
        """Begin to inspect, once the model thread has the products."""
        self._inspections = Inspections(self.model, self.limits.workers)
        self.metrics.ready.set(1)

    def drain(self) -> None:
        """Admit nothing more."""
        self.in_hand.stopping = True
        self.metrics.ready.set(0)

    def stop(self) -> None:
        """End all threads."""
        if self._inspections is not None:
            self._inspections.stop()
        self.model.stop()

    def application(self, log: Callable[[str], None]) -> ASGIApp:
        """The application for a server.

        Args:
            log: called with a line about each request.
        """
        routes = [
            Route("/inspect", self._inspect, methods=["POST"]),
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._show_metrics),
            Route("/openapi.json", self._openapi),
        ]
        handlers: Mapping[Any, Any] = {
            ProblemError: lambda request, problem: problem.response(),
            HTTPException: _http_problem,
            ClientDisconnect: lambda request, error: Response(status_code=_GONE),
            Exception: self._internal_problem,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        paths = frozenset(route.path for route in routes)
        return Guard(app, token=self.token, paths=paths, metrics=self.metrics, log=log)

    async def _inspect(self, request: Request) -> Response:
        product, overlay = self._asked_for(request)
        with self.in_hand.request():
            inspections = self._require_ready()
            form = is_form(request)
            if form and overlay:
                raise ProblemError(
                    400, "An overlay is of one picture; send it as the body, not a form."
                )
            with self.in_hand.body(request) as body:
                try:
                    pictures = await asyncio.wait_for(
                        read_pictures(request, body, form=form, most=self.limits.queue),
                        self.limits.seconds,
                    )
                except asyncio.TimeoutError as error:
                    raise ProblemError(
                        408, f"The body took longer than {self.limits.seconds:g} s; send it faster."
                    ) from error
                with self.in_hand.queued(len(pictures)):
                    found = self.model.products[product]
                    answers = await self._answers(request, inspections, pictures, found, overlay)
        self.metrics.inspected(product, [answer.result for answer in answers])
        return _shown(answers, form=form)

    async def _answers(
        self,
        request: Request,
        inspections: Inspections,
        pictures: list[Picture],
        product: Product,
        overlay: bool,
    ) -> list[Answer]:
        """The answers about pictures; those that nobody waits for any more are not inspected."""
        work: asyncio.Future[Any] = asyncio.gather(
            *(
                asyncio.wrap_future(inspections.start(picture, product, overlay=overlay))
                for picture in pictures
            )
        )
        gone: asyncio.Future[Any] = asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait(
                {work, gone}, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done():
                return list(work.result())
            if gone.done():
                raise ClientDisconnect
            raise ProblemError(
                503, f"The inspection took longer than {self.limits.seconds:g} s; try again.", RETRY
            )
        finally:
            for task in (gone, work):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    def _asked_for(self, request: Request) -> tuple[str, bool]:
        """The name of the product, and whether an overlay is wanted."""
        given = request.query_params.multi_items()
        for name, _ in given:
            if name not in _PARAMETERS:
                known = " and ".join(_PARAMETERS)
                raise ProblemError(
                    400,
                    f"The parameter {shortened(name)!a} is unknown; the parameters are {known}.",
                )
        if len(given) > len(request.query_params):
            raise ProblemError(400, "A parameter is given twice; give each once.")
        overlay = request.query_params.get("overlay", "0")
        if overlay not in _SWITCH:
            raise ProblemError(400, f"overlay must be 0 or 1, not {shortened(overlay)!a}.")
        names = ", ".join(self.names)
        product = request.query_params.get("profile")
        if product is None and len(self.names) > 1:
            raise ProblemError(
                400, f"Choose a profile with ?profile=NAME; NAME is one of: {names}."
            )
        product = self.names[0] if product is None else product
        if product not in self.names:
            raise ProblemError(
                404, f"There is no profile {shortened(product)!a}; choose one of: {names}."
            )
        return product, _SWITCH[overlay]

    def _require_ready(self) -> Inspections:
        if self._inspections is None:
            raise ProblemError(503, "The model is being loaded; try again.", RETRY)
        return self._inspections

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__})

    async def _ready(self, request: Request) -> Response:
        if self.in_hand.stopping:
            raise ProblemError(503, "The server is stopping; use another one.", RETRY)
        self._require_ready()
        return JSONResponse({"status": "ready", "profiles": list(self.names)})

    async def _show_metrics(self, request: Request) -> Response:
        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _openapi(self, request: Request) -> Response:
        token = self.token is not None
        return JSONResponse(openapi_document(self.names, self.limits, token=token))

    async def _internal_problem(self, request: Request, error: Exception) -> Response:
        self._report(error)
        known = isinstance(error, MoeclipError)
        detail = str(error) if known else "There is an internal error; the server's log names it."
        return ProblemError(500, detail).response()


def _shown(answers: list[Answer], *, form: bool) -> Response:
    """A list for a form; else the object, the overlay or the problem of the only picture."""
    if form:
        listed = ", ".join(answer.to_json() for answer in answers)
        return Response(f"[{listed}]", media_type="application/json")
    answer, *_ = answers
    if answer.problem is not None:
        return answer.problem.response()
    result = answer.result
    headers = {"moeclip-verdict": str(result.verdict), "moeclip-score": json.dumps(result.score)}
    if answer.overlay is not None:
        return Response(answer.overlay, headers=headers, media_type="image/png")
    return Response(answer.to_json(), headers=headers, media_type="application/json")


def _http_problem(request: Request, error: Exception) -> Response:
    """What Starlette refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 404:
        detail = "There is no such path; /openapi.json lists all."
    else:
        detail = f"{request.method} is not allowed here; /openapi.json lists what is."
    return ProblemError(error.status_code, detail, error.headers).response()
