"""Pages of files as images of their own: of TIFF and DICOM files, animations and videos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.discovery.extensions import EXTENSIONS, OTHER_EXTENSIONS, PAGED_EXTENSIONS
from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import ImagePlace, Page, RemoteFile, place_of
from moeclip_cli.errors import ImageError, UsageError
from moeclip_cli.images.downloads import Download
from moeclip_cli.images.helper import HELPERS

ALL = "all"

_RANGE = re.compile(r"(\d+)(-(\d*))?")
_NO_END = 2**31 - 1


@dataclass(frozen=True)
class PageChoice:
    """Which pages of a file are images.

    Attributes:
        ranges: first and last page of each range, from 1.
        every: of these, every so many, beginning with the first.
    """

    ranges: tuple[tuple[int, int], ...] = ((1, _NO_END),)
    every: int = 1

    @classmethod
    def of(cls, pages: str | None, every: int | None) -> PageChoice:
        """The choice that the options ask for; None stands for all.

        Raises:
            UsageError: if `pages` is neither "all" nor a list of numbers and ranges.
        """
        if pages is None or pages.strip().lower() == ALL:
            return cls(every=every or 1)
        return cls(tuple(_range(part.strip(), pages) for part in pages.split(",")), every or 1)

    @property
    def last(self) -> int:
        """The last page that may be chosen."""
        return max(last for _, last in self.ranges)

    def numbers(self, count: int) -> Iterator[int]:
        """The chosen pages of a file with so many, ascending."""
        kept = (
            number
            for number in range(1, count + 1)
            if any(first <= number <= last for first, last in self.ranges)
        )
        return (number for place, number in enumerate(kept) if place % self.every == 0)


def _range(text: str, pages: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(text)
    if found is not None:
        first = int(found[1])
        last = first if found[2] is None else int(found[3] or _NO_END)
        if 1 <= first <= last:
            return first, last
    raise UsageError(f"`pages` takes all, or numbers and ranges such as 1-3,7,10-, not '{pages}'.")


class PagedImages:
    """Images, and the chosen pages of those that have several. Can be iterated any number of times.

    Pages are counted once, at the beginning.

    Args:
        refs: the files.
        choice: the pages.
        max_pixels: limit on the size of what is downloaded.
        seconds: limit on the time to read a file, or a frame of a video.
    """

    def __init__(
        self, refs: Iterable[ImageRef], choice: PageChoice, *, max_pixels: int, seconds: float
    ) -> None:
        self._choice = choice
        self._files = DiskList(
            json.dumps([_text(ref.path), ref.name, _count(ref, choice, max_pixels, seconds)])
            for ref in refs
        )

    def __iter__(self) -> Iterator[ImageRef]:
        for line in self._files:
            text, name, count = json.loads(line)
            ref = ImageRef(place_of(text), name)
            yield from self._pages(ref, count) if count else [ref]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _pages(self, ref: ImageRef, count: int) -> Iterator[ImageRef]:
        # One download for all pages, which lasts as long as one of them is in use.
        file = Download(ref.path) if isinstance(ref.path, RemoteFile) else ref.path
        numbers = iter(self._choice.numbers(count))
        # A file without a page of these gets a row that says so.
        first = next(numbers, self._choice.ranges[0][0])
        for number in chain([first], numbers):
            yield replace(ref, path=Page(file, number), name=f"{ref.name}#{number}")


def _text(place: ImagePlace) -> str:
    return place.url if isinstance(place, RemoteFile) else str(place)


def _count(ref: ImageRef, choice: PageChoice, max_pixels: int, seconds: float) -> int:
    """Number of pages, at most as many as matter; 0 for a file that is an image as such."""
    suffix = PurePosixPath(ref.name.partition("?")[0]).suffix.lower()
    if suffix in EXTENSIONS and suffix not in PAGED_EXTENSIONS:
        return 0
    try:
        file = Download(ref.path) if isinstance(ref.path, RemoteFile) else ref.path
        path = file.path(max_pixels) if isinstance(file, Download) else file
        if not isinstance(path, Path):
            return 0
        count = HELPERS.count_pages(path, max(2, choice.last), seconds)
    except ImageError:
        return 0  # reading it as an image will say what is wrong
    return count if count > 1 or OTHER_EXTENSIONS.get(suffix) == "a video" else 0
