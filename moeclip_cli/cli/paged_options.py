"""Pages of the files of a run, as the options choose them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moeclip_cli.cli import console
from moeclip_cli.errors import UsageError

if TYPE_CHECKING:
    from moeclip_cli.discovery.source import ImageSource
    from moeclip_cli.images.paged import PagedImages

_STREAM = re.compile(r"camera:|rt[sm]ps?://", re.IGNORECASE)


def named_streams(paths: Sequence[str]) -> list[str]:
    """The inputs that are cameras or streams."""
    return [path for path in paths if _STREAM.match(path) and not Path(path).exists()]


def require_files(paths: Sequence[str]) -> None:
    """Refuse streams where images are read more than once.

    Raises:
        UsageError: naming the first one.
    """
    for stream in named_streams(paths):
        raise UsageError(f"{stream} is a stream, which only 'moeclip score' reads.")


def paged(
    source: ImageSource,
    pages: str | None,
    every: int | None,
    *,
    max_pixels: int | None,
    decode_seconds: float | None,
    quiet: bool,
) -> PagedImages:
    """The pages of a source that options choose; they are named like the options.

    Raises:
        UsageError: if the options are wrong.
    """
    from moeclip_cli.images.decode import DEFAULT_DECODE_SECONDS, DEFAULT_MAX_PIXELS
    from moeclip_cli.images.paged import PageChoice, PagedImages

    choice = PageChoice.of(pages, every)
    with console.status("Counting pages", quiet=quiet):
        return PagedImages(
            source,
            choice,
            max_pixels=max_pixels or DEFAULT_MAX_PIXELS,
            seconds=decode_seconds or DEFAULT_DECODE_SECONDS,
        )
