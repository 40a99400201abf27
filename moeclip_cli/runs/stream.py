"""A stream of results in order, each yielded after its files are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import ImagePlace, RemoteFile
from moeclip_cli.errors import ImageError
from moeclip_cli.images.downloads import Download
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scorer import Scorer, ScoringFacts
from moeclip_cli.runs.batches import ends_batch

FileJob: TypeAlias = Callable[[ImageRef, Result], None]
JobsOf: TypeAlias = Callable[[Any], Sequence[FileJob]]
PromptFunction: TypeAlias = Callable[[Path], str]


@dataclass(frozen=True)
class Pace:
    """Use of the machine; does not change a result.

    Attributes:
        batch_size: maximum number of images per forward pass.
        workers: number of decoding threads, and of threads that write files.
    """

    batch_size: int
    workers: int


@runtime_checkable
class RemoteScorer(ScoringFacts, Protocol):
    """A source of results whose images are scored, and their files written, in other processes."""

    def results_with_files(
        self,
        refs: Iterable[ImageRef],
        prompt: PromptFunction,
        jobs_of: JobsOf,
        pace: Pace,
        *,
        experts_layer: int | None,
    ) -> Iterator[tuple[ImageRef, Result]]:
        """As the function of this name; `jobs_of` is pickled."""


def results_with_files(
    scorer: Scorer | RemoteScorer,
    refs: Iterable[ImageRef],
    prompt: PromptFunction,
    jobs_of: JobsOf,
    pace: Pace,
    *,
    experts_layer: int | None = None,
) -> Iterator[tuple[ImageRef, Result]]:
    """Score `refs`, and write the files of each image while the next ones are scored.

    At most one batch of results waits for its files: memory use is constant, and a killed run
    loses few results.

    Args:
        scorer: gives the results.
        refs: the images.
        prompt: the name of the object on an image.
        jobs_of: gives, for an inspector, what writing threads call with every image that could be
            scored.
        pace: batch size and threads.
        experts_layer: see `Inspector.score`.

    Yields:
        Each image with its result, in order. If a job raises `ImageError`, the result records it.
    """
    if isinstance(scorer, RemoteScorer):
        yield from scorer.results_with_files(
            refs, prompt, jobs_of, pace, experts_layer=experts_layer
        )
        return
    jobs = jobs_of(scorer)
    waiting: deque[tuple[ImageRef, Result, list[Future[None]]]] = deque()
    with ThreadPoolExecutor(max(1, pace.workers), "moeclip-write") as pool:
        for ref, result in _scored(scorer, refs, prompt, pace, experts_layer):
            scored = result.error is None
            files = [pool.submit(job, ref, result) for job in jobs] if scored else []
            waiting.append((ref, result, files))
            while waiting and (len(waiting) > pace.batch_size or _done(waiting[0][2])):
                yield _settled(*waiting.popleft())
        while waiting:
            yield _settled(*waiting.popleft())


def _scored(
    scorer: Scorer,
    refs: Iterable[ImageRef],
    prompt: PromptFunction,
    pace: Pace,
    experts_layer: int | None,
) -> Iterator[tuple[ImageRef, Result]]:
    ahead: deque[ImageRef] = deque()
    ends: deque[bool] = deque()

    def places() -> Iterator[ImagePlace]:
        for ref in map(_fetched_once, refs):
            ahead.append(ref)
            ends.append(ends_batch(ref, pace.batch_size))
            yield ref.path

    results = scorer.score(
        places(),
        prompt=lambda path: prompt(Path(str(path))),
        batch_size=pace.batch_size,
        workers=pace.workers,
        experts_layer=experts_layer,
        ends_batch=ends.popleft,
    )
    for result in results:
        yield ahead.popleft(), result


def _fetched_once(ref: ImageRef) -> ImageRef:
    """The image such that its overlay is drawn on what was scored, although a URL may change."""
    return replace(ref, path=Download(ref.path)) if isinstance(ref.path, RemoteFile) else ref


def _done(files: list[Future[None]]) -> bool:
    return all(job.done() for job in files)


def _settled(ref: ImageRef, result: Result, files: list[Future[None]]) -> tuple[ImageRef, Result]:
    try:
        for job in files:
            job.result()
    except ImageError as error:
        return ref, replace(result, error=str(error), temporary=error.temporary)
    return ref, result
