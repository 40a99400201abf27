"""A camera or a stream as the input of `moeclip score`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from moeclip_cli.cli import console
from moeclip_cli.cli.paged_options import named_streams
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.cli.image_options import ImageOptions
    from moeclip_cli.discovery.inputs import ImageRef
    from moeclip_cli.images.live import LiveStream


@dataclass(frozen=True)
class LiveImages:
    """The frames of a stream, which can be iterated once.

    Attributes:
        stream: the stream.
        total: number of frames that are wanted; None for all that come.
    """

    stream: LiveStream
    total: int | None

    def __iter__(self) -> Iterator[ImageRef]:
        return islice(self.stream, self.total)

    @property
    def lost(self) -> bool:
        """Whether the stream ended too early."""
        return self.stream.ended and (self.stream.endless or self.total is not None)

    def remark(self) -> None:
        """Say how the stream ended, and what was not inspected."""
        stream = self.stream
        if self.lost:
            console.warn(
                f"The stream {stream.name} was lost after frame {stream.last}; check the camera "
                "and the network, and start again with another --out."
            )
        elif stream.ended:
            console.note(f"The stream ended after frame {stream.last}.")
        if stream.passed:
            frames = console.counted(stream.passed, "frame")
            console.warn(
                f"{frames} came faster than they could be scored and were passed over; --every "
                "takes fewer."
            )


def open_stream(images: ImageOptions, *, resume: bool, mutual: bool) -> LiveImages | None:
    """The stream that is the input, opened; None if the input is images.

    Raises:
        UsageError: if it cannot be opened, or other inputs or options do not go with it.
    """
    streams = named_streams(images.paths)
    if not streams:
        return None
    from moeclip_cli.images.live import LiveStream, is_stream

    if not is_stream(streams[0]):
        raise UsageError(
            f"{streams[0]} is not a camera; write camera:0 for the first one, or camera:URL."
        )
    if len(images.paths) > 1:
        raise UsageError("A stream is scored in a run of its own; omit the other inputs.")
    if images.pages is not None:
        raise UsageError("`pages` is for files; use `every` and `limit` with a stream.")
    if resume or mutual:
        name = "resume" if resume else "mutual"
        raise UsageError(f"A stream cannot be read again, as `{name}` needs; omit it.")
    return LiveImages(LiveStream(streams[0], images.every or 1), images.limit)


@contextmanager
def until_interrupted(live: LiveImages | None) -> Iterator[None]:
    """End a stream at the first Ctrl-C, so that its run finishes; the second one interrupts."""
    if live is None:
        yield
        return
    before: Any = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        live.stream.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        live.stream.close()
