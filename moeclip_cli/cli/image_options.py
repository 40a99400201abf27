"""Options for the images of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from moeclip_cli.cli import console
from moeclip_cli.cli.options import IMAGES

if TYPE_CHECKING:
    from moeclip_cli.discovery.inputs import ImageRef
    from moeclip_cli.discovery.source import ImageSource, SourceCounts
    from moeclip_cli.images.paged import PagedImages


@dataclass(frozen=True)
class ImageOptions:
    """The images of a run.

    Attributes:
        paths: image, folder, glob pattern or URL; - reads a list of them from standard input.
            camera:0, camera:URL and rtsp:// are streams, for moeclip score.
        recursive: search subfolders.
        limit: use only the first N images.
        max_pixels: reject images with more pixels than this.
        decode_seconds: stop decoding an image after this many seconds.
        pages: score these pages or frames of a file as images of their own: all, or 1-3,7. For
            TIFF, DICOM, animations and videos.
        every: of the pages or frames, score every so many only, the first included.
        verbose: also list skipped files and per-image notes.
    """

    PANEL: ClassVar[str] = IMAGES

    paths: Annotated[list[str], typer.Argument(metavar="PATH", show_default=False)]
    recursive: bool = True
    limit: Annotated[int | None, typer.Option(min=1)] = None
    max_pixels: Annotated[int | None, typer.Option(min=1)] = None
    decode_seconds: Annotated[float | None, typer.Option(min=0.1, show_default="20")] = None
    pages: Annotated[str | None, typer.Option(metavar="all|N-M", show_default=False)] = None
    every: Annotated[int | None, typer.Option(min=1, show_default=False)] = None
    verbose: Annotated[bool, typer.Option("--verbose", "-v")] = False

    def find(self, out: Path, *, quiet: bool) -> FoundImages:
        """Find the images; skipped files are counted, or listed if `verbose`.

        Args:
            out: the output folder, whose images are not inputs.
            quiet: print nothing about skipped files.

        Raises:
            UsageError: if a path is not found or there are no images.
        """
        from moeclip_cli.cli.paged_options import paged, require_files
        from moeclip_cli.discovery.source import find_images

        require_files(self.paths)
        source = find_images(self.paths, recursive=self.recursive, stdin=sys.stdin, exclude=out)
        counts = source.counts()
        if not quiet:
            self._mention_skipped(source, counts)
        if self.pages is None and self.every is None:
            return FoundImages(source, min(counts.images, self.limit or counts.images))
        pages = paged(
            source,
            self.pages,
            self.every,
            max_pixels=self.max_pixels,
            decode_seconds=self.decode_seconds,
            quiet=quiet,
        )
        return FoundImages(pages, min(len(pages), self.limit or len(pages)))

    def _mention_skipped(self, source: ImageSource, counts: SourceCounts) -> None:
        if self.verbose:
            for entry in source.skipped():
                console.note(f"Skipped {entry.path} ({entry.reason or 'no image extension'}).")
            return
        if counts.other_files:
            console.note(
                f"Skipped {console.counted(counts.other_files, 'file')} without an image extension "
                "(--verbose lists them)."
            )
        if counts.unreadable_folders:
            folders = console.counted(counts.unreadable_folders, "folder")
            console.warn(f"Cannot list {folders} (--verbose lists them).")


@dataclass(frozen=True)
class FoundImages:
    """The first images of a source. Can be iterated any number of times."""

    _source: ImageSource | PagedImages
    _count: int

    def __iter__(self) -> Iterator[ImageRef]:
        return islice(self._source, self._count)

    def __len__(self) -> int:
        return self._count

    @property
    def total(self) -> int:
        """Number of images."""
        return self._count
