"""`inputs.jsonl`: the file behind each row, so that a resumed run knows which rows still hold."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.places import ImagePlace, Page, place_of
from moeclip_cli.discovery.remote import states_of
from moeclip_cli.files import AppendedFile, Closable, replacing, write_errors
from moeclip_cli.inspection.result import Result
from moeclip_cli.reports.tables.text_index import TextIndex

INPUTS = "inputs.jsonl"


@dataclass(frozen=True)
class InputRecord:
    """The state of an image file when it was read; the fields are the keys of a line.

    Attributes:
        path: path of the image as the user gave it.
        name: name of the image, which determines the paths of its pictures.
        size: size of the file in bytes; None if another try may succeed, for example because the
            file was not found.
        modified_ns: modification time of the file in nanoseconds since 1970, or a number that
            stands for the version of a file at a URL; None as above.
        scored: whether the image could be scored.
        batch: digest of the paths and states of all images of its batch.
        overlay: False if the image got no overlay because it is normal.
        page: number of the page of the file, which `path` ends in; None for a file as such.
    """

    path: str
    name: str
    size: int | None
    modified_ns: int | None
    scored: bool
    batch: str
    overlay: bool = True
    page: int | None = None

    @property
    def key(self) -> str:
        """Text that is the same for equal records."""
        content = asdict(self)
        if self.page is None:
            del content["page"]  # earlier versions did not write it
        return json.dumps(content)

    def place(self, directory: Path) -> ImagePlace:
        """Where the image is.

        Args:
            directory: folder in which the run was started.
        """
        name = self.path if self.page is None else self.path.removesuffix(f"#{self.page}")
        place = place_of(name)
        found = directory / place if isinstance(place, Path) else place
        return found if self.page is None else Page(found, self.page)

    def of(self, result: Result) -> InputRecord:
        """This record with the outcome of reading the image."""
        if result.temporary or not self.holds:
            return replace(self, size=None, modified_ns=None, scored=result.error is None)
        return replace(self, scored=result.error is None)

    @property
    def holds(self) -> bool:
        """True unless another try may succeed."""
        return self.size is not None


def describe_batch(batch: Sequence[ImageRef]) -> list[InputRecord]:
    """The records of a batch that is about to be read, as if all its images can be scored.

    Args:
        batch: the images that go through the network together. Scores depend on it by rounding.
    """
    states = [state or (None, None) for state in states_of([ref.path for ref in batch])]
    paths = [str(ref.path) for ref in batch]
    digest = blake2b(json.dumps([paths, states]).encode(), digest_size=12).hexdigest()
    return [
        InputRecord(path, ref.name, size, time, True, digest, page=page_of(ref))
        for path, ref, (size, time) in zip(paths, batch, states, strict=True)
    ]


def page_of(ref: ImageRef) -> int | None:
    """The number of the page that an image is; None for a file as such."""
    return ref.path.number if isinstance(ref.path, Page) else None


Describe: TypeAlias = Callable[[Sequence[ImageRef]], list[InputRecord]]
"""Gives the records of a batch that is about to be scored, as if all its images can be."""


class InputLog(Closable):
    """The file `inputs.jsonl` in an output folder.

    Args:
        folder: the output folder.
        resume: keep existing records; otherwise replace the file.

    Raises:
        UsageError: if the file cannot be written.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self.path = folder / INPUTS
        with write_errors(self.path):
            length = _complete_length(self.path) if resume and self.path.exists() else 0
        self._file = AppendedFile(self.path, keep=length)

    def add(self, record: InputRecord) -> None:
        """Append a record. Call it before the row is written.

        Raises:
            UsageError: if the file cannot be written.
        """
        self._file.append(_line(record))

    def sync(self) -> None:
        """Wait until the records are on the disk.

        Raises:
            UsageError: if they cannot be written, or the file has been removed.
        """
        self._file.sync()

    def keep(self, keys: TextIndex) -> Iterator[InputRecord]:
        """Remove the records without a key in `keys`, and yield them; read the iterator to its end.

        Raises:
            UsageError: if the file cannot be written.
        """
        self._file.close()
        with replacing(self.path, durable=True) as stream:
            for record in read_records(self.path):
                if record.key in keys:
                    stream.write(_line(record))
                else:
                    yield record
        self._file = AppendedFile(self.path, keep=self.path.stat().st_size)

    def arrange(self, paths: Iterable[str]) -> None:
        """Put the records into the order of the images; call it after the last one.

        Args:
            paths: of the images; one without a record is left out.

        Raises:
            UsageError: if the file cannot be written.
        """
        self._file.close()
        starts = array("q")

        def logged() -> Iterator[str]:
            for start, record in _placed_records(self.path):
                starts.append(start)
                yield record.path

        records = TextIndex(logged())
        found = (records.take(path) for path in paths)
        order = np.fromiter((each for each in found if each is not None), dtype=np.int64)
        if (np.diff(order) > 0).all():
            return
        with self.path.open("rb") as old, replacing(self.path, durable=True) as new:
            for position in order:
                old.seek(starts[position])
                new.write(old.readline())

    def close(self) -> None:
        """Finish the file. Closing it twice is harmless.

        Raises:
            UsageError: if the file cannot be written or has been removed.
        """
        self._file.close()


def read_records(path: Path) -> Iterator[InputRecord]:
    """Read the records of a file; lines that are not records are skipped."""
    return (record for _, record in _placed_records(path))


def _placed_records(path: Path) -> Iterator[tuple[int, InputRecord]]:
    """The records of a file, each with the offset of its line."""
    start = 0
    with path.open("rb") as lines:
        for line in lines:
            try:
                record = InputRecord(**json.loads(line))
            except (ValueError, TypeError):
                pass
            else:
                yield start, record
            start += len(line)


def _line(record: InputRecord) -> bytes:
    return (record.key + "\n").encode()


def _complete_length(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(len(line) for line in lines if line.endswith(b"\n"))
