"""An image on its way to the network: decoded, resized, and cut into batches with others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decoding
from moeclip_cli.inspection.image_like import ImageLike, place_and_name

_T = TypeVar("_T")


@dataclass(frozen=True)
class PreparedImage:
    """A decoded image, or the reason why it cannot be scored.

    Attributes:
        path: path of the image; "" for one in memory.
        prompt: name of the object.
        pixels: the image (H, W, 3) uint8 at each size that the network sees, or what an exported
            graph takes.
        width, height: size of the original image in pixels.
        notes: remarks on how the image was read.
        error: one sentence, if the image cannot be scored.
        owner: number of the reference that the image is itself; -1 for none.
        temporary: True if another try may succeed.
        inside: (H, W) bool, the pixels of the first network input that count; None for all.
    """

    path: str
    prompt: str
    pixels: tuple[NDArray[Any], ...] = ()
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()
    error: str | None = None
    owner: int = -1
    temporary: bool = False
    inside: NDArray[np.bool_] | None = None


class KnownImages(Protocol):
    """The references, as far as one is recognised among other images; see `References`."""

    @property
    def digests(self) -> tuple[str, ...]:
        """Of each reference."""

    @property
    def subsets(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the references in each subset."""

    def owner(self, digest: str) -> int:
        """The number of the reference with this digest; -1 if there is none."""


def prepare(
    image: ImageLike,
    prompt: str,
    inputs: Callable[[NDArray[np.uint8]], tuple[NDArray[Any], ...]],
    *,
    max_pixels: int,
    decode_seconds: float,
) -> PreparedImage:
    """Decode an image and make the network's inputs of it. Thread-safe.

    Args:
        image: see `Inspector.score`.
        prompt: name of the object.
        inputs: gives the network inputs of an image (H, W, 3) uint8 RGB.
        max_pixels: images with more pixels are refused.
        decode_seconds: limit on the time to decode.
    """
    source, path = place_and_name(image)
    try:
        with decoding(source, max_pixels=max_pixels, decode_seconds=decode_seconds) as decoded:
            height, width = decoded.pixels.shape[:2]
            pixels = inputs(decoded.pixels)
    except ImageError as error:
        return PreparedImage(path, prompt, error=str(error), temporary=error.temporary)
    return PreparedImage(path, prompt, pixels, width, height, decoded.notes)


def match_reference(prepared: PreparedImage, references: KnownImages, digest: str) -> PreparedImage:
    """The image with the number of the reference that it is itself, if it is one.

    Args:
        prepared: the image.
        references: the references.
        digest: of the image.
    """
    if prepared.error is not None:
        return prepared
    owner = references.owner(digest)
    if owner < 0:
        return prepared
    if (owner,) in references.subsets:
        return replace(prepared, error="This image is the only reference of a draw.")
    if len(references.digests) == 1:
        return replace(prepared, error="This image is the only reference; add others.")
    note = "is a reference; compared with the other references only"
    return replace(prepared, owner=owner, notes=(*prepared.notes, note))


def in_equal_shapes(
    items: Sequence[PreparedImage], work: Callable[[list[PreparedImage]], Iterable[_T]]
) -> list[_T]:
    """Results of `work` for images without an error, in their order.

    It gets those together whose network inputs can be stacked. Where an image is put depends on the
    shapes alone, so a batch that is scored again is divided in the same way.
    """
    found: dict[int, _T] = {}
    for numbers in alike(tuple(pixels.shape for pixels in item.pixels) for item in items):
        found.update(zip(numbers, work([items[number] for number in numbers]), strict=True))
    return [found[number] for number in range(len(items))]


def alike(keys: Iterable[Hashable]) -> list[list[int]]:
    """The positions of equal keys, in order of the first of each."""
    groups: dict[Hashable, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def cut_batches(
    items: Iterable[_T], size: int, ends_batch: Callable[[], bool] | None
) -> Iterator[list[_T]]:
    """Batches of at most `size` items, cut early where `ends_batch` says so."""
    batch: list[_T] = []
    for item in items:
        batch.append(item)
        ends = ends_batch is not None and ends_batch()
        if ends or len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
