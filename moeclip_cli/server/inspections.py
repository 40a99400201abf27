"""Threads that take a picture from bytes to an answer."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decoding
from moeclip_cli.images.encode import encode_picture
from moeclip_cli.images.image_file import identify_format
from moeclip_cli.inspection.result import Result
from moeclip_cli.server.batching import ModelThread
from moeclip_cli.server.pictures import Picture
from moeclip_cli.server.problems import RETRY, ProblemError
from moeclip_cli.server.products import Product


@dataclass(frozen=True)
class Answer:
    """What a client gets about one picture.

    Attributes:
        result: the inspection, without its maps.
        overlay: a PNG file, if it was asked for.
        problem: why the picture was not inspected, if it was not.
    """

    result: Result
    overlay: bytes | None = None
    problem: ProblemError | None = None

    def to_json(self) -> str:
        """The object that `moeclip score --json` prints."""
        return json.dumps(self.result.to_dict())


class Inspections:
    """Inspects pictures, several at the same time.

    More threads than cores, as most of them wait for the model. Each holds its share of the memory
    for decoding until its picture is scored.

    Args:
        model: the thread that scores.
        workers: number of threads that decode while a batch is scored and another one is ready.
    """

    def __init__(self, model: ModelThread, workers: int) -> None:
        self._model = model
        self._pool = ThreadPoolExecutor(
            workers + 2 * model.batch_size, thread_name_prefix="moeclip-picture"
        )

    def start(self, picture: Picture, product: Product, *, overlay: bool) -> Future[Answer]:
        """Inspect a picture; the result can be cancelled until a thread is free for it."""
        return self._pool.submit(self._inspect, picture, product, overlay)

    def stop(self) -> None:
        """End the threads, after the pictures that they work on."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _inspect(self, picture: Picture, product: Product, overlay: bool) -> Answer:
        inspector = product.inspector
        try:
            identify_format(BytesIO(picture.content))
        except ImageError as error:
            return _refused(picture, product, ProblemError(415, str(error)))
        try:
            with decoding(
                picture.content,
                max_pixels=inspector.max_pixels,
                decode_seconds=inspector.decode_seconds,
            ) as decoded:
                result = self._model.submit(product, decoded.pixels).result()
                if result.error is not None:
                    return _refused(picture, product, ProblemError(422, result.error))
                drawn = _overlay(result, decoded.pixels) if overlay else None
        except ImageError as error:
            return _refused(picture, product, _problem_of(error))
        small = replace(result, path=picture.name, probability=None, raw_map=None, distances=None)
        return Answer(small, drawn)


def _overlay(result: Result, pixels: NDArray[np.uint8]) -> bytes:
    return encode_picture(result.overlay(pixels))


def _refused(picture: Picture, product: Product, problem: ProblemError) -> Answer:
    name = product.inspector.model.name
    result = Result(picture.name, product.prompt, name, error=problem.detail)
    return Answer(result, problem=problem)


def _problem_of(error: ImageError) -> ProblemError:
    if error.too_large:
        return ProblemError(413, str(error))
    # A client that sends again what decodes for so long would keep others waiting each time.
    if error.temporary and not error.too_slow:
        return ProblemError(503, str(error), RETRY)
    return ProblemError(422, str(error))
