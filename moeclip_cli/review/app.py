"""The paths of the review page."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from moeclip_cli.bounded_text import shortened
from moeclip_cli.choices import Language
from moeclip_cli.errors import ImageError, MoeclipError
from moeclip_cli.parallel.cores import choose_workers
from moeclip_cli.reports.tables.cells import readable
from moeclip_cli.review.applying import Applier
from moeclip_cli.review.guard import Guard
from moeclip_cli.review.labels import LABELS, ChangedError, LabelJournal
from moeclip_cli.review.page import review_page
from moeclip_cli.review.pictures import KINDS, SIDES, Pictures
from moeclip_cli.review.references import ReferenceMaker
from moeclip_cli.review.results import IMAGE_FIELDS, LiveResults, ReviewedImage
from moeclip_cli.review.sentences import in_language
from moeclip_cli.review.words import REVIEW_WORDS
from moeclip_cli.server.problems import ProblemError

_LONGEST_BODY = 10_000
# As long as the address of a picture: its results do not change.
_KEEP = {"cache-control": "private, max-age=3600"}


class Review:
    """The page over one output folder.

    Args:
        results: the run.
        labels: what people say about its images.
        token: first part of every path.
        language: of the page.
        explain: the sentence about an exception.
    """

    def __init__(
        self,
        results: LiveResults,
        labels: LabelJournal,
        token: str,
        language: Language,
        explain: Callable[[BaseException], str],
    ) -> None:
        self.results, self.labels, self._token = results, labels, token
        self._language, self._explain = language, lambda error: self._said(explain(error))
        self.pictures = Pictures(results, language)
        self.references = ReferenceMaker(self._explain)
        self.applier = Applier(results, self._explain)
        # Each picture is drawn by a thread; more at once would take more memory, not less time.
        self._drawing = asyncio.Semaphore(choose_workers(None))

    def application(self) -> ASGIApp:
        """The application for a server."""
        routes = [
            Route("/", self._page),
            Route("/state", self._state),
            Route("/picture/{number:int}/{kind}/{size}", self._picture),
            Route("/label", self._label, methods=["POST"]),
            Route("/apply", self._apply, methods=["POST"]),
            Route("/references", self._make_references, methods=["POST"]),
        ]
        handlers: Mapping[Any, Any] = {
            ProblemError: self._told,
            HTTPException: _http_problem,
            MoeclipError: self._problem,
            Exception: self._problem,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return Guard(app, self._token)

    async def _page(self, request: Request) -> Response:
        html, policy = review_page(self.results.run.settings["prompt"], self._language)
        headers = {"content-security-policy": f"{policy}; frame-ancestors 'none'"}
        return Response(html, headers=headers, media_type="text/html; charset=utf-8")

    async def _state(self, request: Request) -> Response:
        epoch, after, revision = (_number(request, name) for name in ("epoch", "images", "labels"))
        return JSONResponse(await run_in_threadpool(self.state, epoch, after, revision))

    def state(self, epoch: int, after: int, revision: int) -> dict[str, Any]:
        """What a page does not know yet.

        Args:
            epoch: of the images that it knows.
            after: number of these images.
            revision: of the labels that it knows.

        Raises:
            UsageError: if the output folder was removed or is damaged.
        """
        self.results.refresh()
        run, now = self.results.run, self.results.epoch
        after = after if epoch == now else 0
        given, latest = self.labels.since(revision)
        known = self.results.images() if given else []
        files = run.files
        return {
            "epoch": now,
            "after": after,
            "fields": [*IMAGE_FIELDS, "label"],
            "images": [
                [*image.to_list(), self.labels.label(image.row.path)]
                for image in self.results.images(after)
            ],
            "labels": [
                [image.number, given[path]]
                for image in known
                if (path := readable(image.row.path)) in given
            ],
            "revision": latest,
            "state": self.results.state,
            "threshold": self.results.threshold,
            "unsure": self.results.unsure,
            "source": run.settings["threshold_source"],
            "maps": files.keep_maps,
            "overlays": files.heatmaps is not None,
            "recut": _recut_command(self.results),
            "applying": self._applying(),
            "references": self._reference_progress(),
        }

    def _applying(self) -> dict[str, Any]:
        before = self.applier.before
        told = None if before is None else {"threshold": before.value, "unsure": before.unsure}
        return {**asdict(self.applier.progress), "before": told}

    def _reference_progress(self) -> dict[str, Any]:
        progress = self.references.progress
        path = REVIEW_WORDS[self._language].path
        command = f"moeclip score {path} --profile {_quoted(progress.profile)}"
        return {**asdict(progress), "command": command}

    async def _picture(self, request: Request) -> Response:
        image = self._image(request.path_params["number"])
        kind, size = request.path_params["kind"], request.path_params["size"]
        threshold = _share(request, "threshold", self.results.threshold)
        if kind not in KINDS or size not in SIDES:
            raise ProblemError(404, "There is no such picture.")
        async with self._drawing:
            if await request.is_disconnected():  # scrolled away
                return Response(status_code=204)
            try:
                content = await run_in_threadpool(self.pictures.jpeg, image, kind, size, threshold)
            except ImageError as error:
                raise ProblemError(404, self._explain(error)) from error
        return Response(content, headers=_KEEP, media_type="image/jpeg")

    async def _label(self, request: Request) -> Response:
        content = await _body(request)
        image = self._image(content.get("image"))
        label, was = content.get("label"), content.get("was")
        if label not in LABELS or was not in (None, *LABELS):
            raise ProblemError(400, "The label must be good, bad, unsure or empty.")
        try:
            await run_in_threadpool(self.labels.give, image.row.path, label, was)
        except ChangedError as error:
            now = error.label or "nothing"
            raise ProblemError(
                409, f"Nothing is undone: the label was changed to {now} in another window."
            ) from error
        return JSONResponse({"image": image.number, "label": label})

    async def _apply(self, request: Request) -> Response:
        content = await _body(request)
        threshold = _share_in(content, "threshold")
        unsure = None if content.get("unsure") is None else _share_in(content, "unsure")
        command = f"moeclip recut {_quoted(os.fspath(self.results.folder))} --threshold {threshold}"
        command += "" if unsure is None else f" --unsure {unsure}"
        await run_in_threadpool(self.applier.start, threshold, unsure, command)
        return JSONResponse(self._applying(), 202)

    async def _make_references(self, request: Request) -> Response:
        run = self.results.run
        good = [
            image.record
            for image in self.results.images()
            if image.row.error is None and self.labels.label(image.row.path) == "good"
        ]
        self.references.start(run, good)
        return JSONResponse(self._reference_progress(), 202)

    def _image(self, number: object) -> ReviewedImage:
        """The image of the run with a number: no other file can be named."""
        image = self.results.image(number) if type(number) is int else None
        if image is None:
            raise ProblemError(404, "The run has no such image.")
        return image

    def _said(self, sentence: str) -> str:
        return in_language(sentence, self._language)

    async def _told(self, request: Request, problem: ProblemError) -> Response:
        said = self._said(problem.detail)
        return ProblemError(problem.status, said, problem.headers).response()

    async def _problem(self, request: Request, error: Exception) -> Response:
        known = isinstance(error, MoeclipError)
        return ProblemError(409 if known else 500, self._explain(error)).response()


def _recut_command(results: LiveResults) -> dict[str, str]:
    """The command that gives the run another threshold, or why there is none."""
    run = results.run
    if run.files.regions:
        return {"problem": "regions"}
    options = [] if run.files.keep_maps else ["--verdicts-only"]
    if not run.files.keep_maps and run.files.heatmaps is not None:
        options.append("--no-heatmaps")
    command = f"moeclip recut {_quoted(os.fspath(results.folder))}"
    return {"command": command, "options": " ".join(["", *options])}


def _quoted(path: str) -> str:
    """A path for a command line of this system."""
    return readable(f'"{path}"' if os.name == "nt" else shlex.quote(path))


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ProblemError(400, f"{name} must be a number, not {shortened(text)!a}.")
    return int(text)


def _share_in(content: dict[str, Any], name: str) -> float:
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ProblemError(400, f"{name} must be a number from 0 to 1.")
    return float(value)


def _share(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ProblemError(400, f"{name} must be from 0 to 1, not {shortened(text)!a}.")
    return value


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object that is the body of a request."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_BODY:
            raise ProblemError(413, "The body is too long.")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ProblemError(400, "The body must be a JSON object.")
    return content


def _http_problem(request: Request, error: Exception) -> Response:
    """What Starlette refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)  # noqa: S101
    sentence = (
        "There is no such path." if error.status_code == 404 else "That is not possible here."
    )
    return ProblemError(error.status_code, sentence, error.headers).response()
