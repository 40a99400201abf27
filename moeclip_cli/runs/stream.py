"""Results in order, each handed on once the files that belong to it are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from moeclip_cli.errors import ImageError
from moeclip_cli.images.inputs import ImageRef
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.inspection.result import Result

FileJob: TypeAlias = Callable[[ImageRef, Result], None]
PromptRule: TypeAlias = Callable[[Path], str]


@dataclass(frozen=True)
class Pace:
    """How a run uses the machine; changes no result.

    Attributes:
        batch_size: images per forward pass.
        workers: threads that decode, and as many that write files.
    """

    batch_size: int
    workers: int


def results_with_files(
    inspector: Inspector,
    refs: Iterable[ImageRef],
    prompt: PromptRule,
    jobs: Sequence[FileJob],
    pace: Pace,
    *,
    experts_layer: int | None = None,
) -> Iterator[tuple[ImageRef, Result]]:
    """Score `refs` and write their files beside the scoring of the next ones.

    At most a batch of results waits for its files, so memory stays flat and a kill loses little.

    Args:
        inspector: what scores.
        refs: the images.
        prompt: the name of the object on an image.
        jobs: each is called, in a thread of its own, with every image that could be scored.
        pace: batch size and threads.
        experts_layer: see `Inspector.score`.

    Yields:
        Each image with its result, in order. If a job meets an `ImageError`, the result has it.
    """
    waiting: deque[tuple[ImageRef, Result, list[Future[None]]]] = deque()
    with ThreadPoolExecutor(max(1, pace.workers), "moeclip-write") as pool:
        for ref, result in _scored(inspector, refs, prompt, pace, experts_layer):
            good = result.error is None
            files = [pool.submit(job, ref, result) for job in jobs] if good else []
            waiting.append((ref, result, files))
            while waiting and (len(waiting) > pace.batch_size or _done(waiting[0][2])):
                yield _settled(*waiting.popleft())
        while waiting:
            yield _settled(*waiting.popleft())


def _scored(
    inspector: Inspector,
    refs: Iterable[ImageRef],
    prompt: PromptRule,
    pace: Pace,
    experts_layer: int | None,
) -> Iterator[tuple[ImageRef, Result]]:
    ahead: deque[ImageRef] = deque()

    def paths() -> Iterator[Path]:
        for ref in refs:
            ahead.append(ref)
            yield ref.path

    results = inspector.score(
        paths(),
        prompt=lambda path: prompt(Path(str(path))),
        batch_size=pace.batch_size,
        workers=pace.workers,
        experts_layer=experts_layer,
    )
    for result in results:
        yield ahead.popleft(), result


def _done(files: list[Future[None]]) -> bool:
    return all(job.done() for job in files)


def _settled(ref: ImageRef, result: Result, files: list[Future[None]]) -> tuple[ImageRef, Result]:
    try:
        for job in files:
            job.result()
    except ImageError as error:
        return ref, replace(result, error=str(error))
    return ref, result
