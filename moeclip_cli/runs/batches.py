"""Batches of a run: where they are cut depends on the images alone, not on earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from moeclip_cli.discovery.inputs import ImageRef

# One image in this many full batches ends its batch early.
_FULL_BATCHES = 8


def ends_batch(ref: ImageRef, size: int) -> bool:
    """Return True if a batch ends after this image although it is not full.

    A digest of its name decides. After an image was added or removed, the batches are therefore
    the same again a few batches later, and a resumed run need not score the rest again.

    Args:
        ref: the image.
        size: maximum number of images in a batch.
    """
    data = ref.name.encode("utf-8", "backslashreplace")
    digest = int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
    return digest % (_FULL_BATCHES * size) == 0


def batches(refs: Iterable[ImageRef], size: int) -> Iterator[list[ImageRef]]:
    """Divide images into batches of at most `size`.

    Args:
        refs: the images, in order.
        size: maximum number of images in a batch.
    """
    batch: list[ImageRef] = []
    for ref in refs:
        batch.append(ref)
        if len(batch) == size or ends_batch(ref, size):
            yield batch
            batch = []
    if batch:
        yield batch
