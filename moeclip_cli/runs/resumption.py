"""Resuming a run so that it ends like one that was never interrupted.

A row of the earlier run is kept if an undisturbed run would write exactly the same one: the images
of its batch are the same files, unchanged, and were read then as far as they can be read now. All
other rows are removed, and their images are scored.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.reports.tables.base import Table
from moeclip_cli.reports.tables.text_index import TextIndex
from moeclip_cli.runs.batches import batches
from moeclip_cli.runs.image_files import ImageFiles
from moeclip_cli.runs.input_log import (
    Describe,
    InputLog,
    InputRecord,
    describe_batch,
    read_records,
)

_SCORED_NOW = -1


@dataclass(frozen=True)
class Kept:
    """The rows that are left of an earlier run.

    Attributes:
        rows: number of rows that are kept.
        again: number of images with a row that are scored again.
        removed: number of rows of images that are not among the inputs of this run.
    """

    rows: int = 0
    again: int = 0
    removed: int = 0

    def remark(self) -> str | None:
        """A sentence for the user, if rows were removed."""
        parts = []
        if self.again:
            parts.append(f"{_count(self.again, 'image')} of the earlier run will be scored again")
        if self.removed:
            parts.append(
                f"{_count(self.removed, 'row')} of images that are not inputs of this run "
                f"{'was' if self.removed == 1 else 'were'} removed"
            )
        return f"{'; '.join(parts)}." if parts else None


def keep_valid_rows(
    table: Table,
    log: InputLog,
    refs: Iterable[ImageRef],
    batch_size: int,
    files: ImageFiles,
    describe: Describe = describe_batch,
) -> Kept:
    """Remove the rows that an undisturbed run would not write.

    Args:
        table: the table of the earlier run.
        log: its records of inputs.
        refs: the images of this run, in order.
        batch_size: images per batch in this run.
        files: overlays and raw maps; an image without its files is scored again, and the files of
            a removed row are removed.
        describe: gives the records of a batch.

    Raises:
        UsageError: if the table was not written by this version, or cannot be written.
    """
    rows = TextIndex(row.path for row in table.rows())
    records = TextIndex(record.key for record in read_records(log.path))
    order = array("q")
    named = 0

    def valid_keys() -> Iterator[str]:
        nonlocal named
        for batch in batches(refs, batch_size):
            positions = [rows.take(str(ref.path)) for ref in batch]
            found = [position for position in positions if position is not None]
            named += len(found)
            keys = [_valid_key(record, records, files) for record in describe(batch)]
            if len(found) == len(batch) and None not in keys:
                order.extend(found)
                yield from (key for key in keys if key is not None)

    valid = TextIndex(valid_keys())
    if len(order) < len(rows) or len(valid) < len(records):
        # The records first: a row without a record is scored again, which is always right.
        for record in log.keep(valid):
            files.remove(record.name)
    positions = np.array(order, dtype=np.int64)
    if len(positions) < len(rows) or not _is_in_order(positions):
        table.keep(positions)
    return Kept(len(order), named - len(order), len(rows) - named)


def _valid_key(record: InputRecord, records: TextIndex, files: ImageFiles) -> str | None:
    """The key under which the earlier run logged this state of an image, if its row holds."""
    if not record.holds:
        return None
    for logged in (record, replace(record, overlay=False)):
        if logged.key in records:
            return logged.key if files.exist(logged) else None
    unreadable = replace(record, scored=False)
    return unreadable.key if unreadable.key in records else None


class InputOrder:
    """The images that are still to be scored, and the order that all rows have in the end.

    Args:
        table: the table with the rows that are kept.
        refs: the images of the run, in order.
        batch_size: images per batch.
        describe: gives the records of a batch.
    """

    def __init__(
        self,
        table: Table,
        refs: Iterable[ImageRef],
        batch_size: int,
        describe: Describe = describe_batch,
    ) -> None:
        self._table, self._refs, self._batch_size = table, refs, batch_size
        self._describe = describe
        self._kept = TextIndex(row.path for row in table.rows())
        self._order = array("q")
        self._records: deque[InputRecord] = deque()

    def missing(self) -> Iterator[ImageRef]:
        """Yield the images without a row, in whole batches; iterate once."""
        for batch in batches(self._refs, self._batch_size):
            positions = self._positions(batch)
            if positions is None:
                self._order.extend([_SCORED_NOW] * len(batch))
                self._records.extend(self._describe(batch))
                yield from batch
            else:
                self._order.extend(positions)

    def next_record(self) -> InputRecord:
        """The record of the next image, in the order of `missing`, from before it was read."""
        return self._records.popleft()

    def restore(self) -> None:
        """Put the rows of the table into the order of the images; call it after the last row.

        Raises:
            UsageError: if the table cannot be written.
        """
        order = np.array(self._order, dtype=np.int64)
        now = order == _SCORED_NOW
        order[now] = len(self._kept) + np.arange(np.count_nonzero(now))
        rows = len(self._kept) + np.count_nonzero(now)
        if len(order) < rows or not _is_in_order(order):
            self._table.keep(order)

    def _positions(self, batch: Sequence[ImageRef]) -> list[int] | None:
        """The positions of the kept rows of a batch; None if it has to be scored."""
        positions = [self._kept.take(str(ref.path)) for ref in batch]
        found = [position for position in positions if position is not None]
        return found if len(found) == len(batch) else None


def _is_in_order(positions: NDArray[np.int64]) -> bool:
    return bool((np.diff(positions) > 0).all())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
