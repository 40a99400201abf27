"""What looking through a dataset's folder yields: samples, and what is wrong with the files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from moeclip_cli.datasets.dataset import Sample


@dataclass(frozen=True)
class Problem:
    """Something wrong with a dataset.

    Attributes:
        kind: "missing", "unpaired", "unreadable" or "size".
        path: the file or folder.
        message: what is wrong, as the end of a sentence.
    """

    kind: str
    path: Path
    message: str


@dataclass(frozen=True)
class Index:
    """The samples in a folder.

    Attributes:
        samples: in natural order of their folders and names.
        problems: why the samples must not be used as they are.
        spare_masks: masks that no image uses: odd, but no sample is wrong for it.
    """

    samples: tuple[Sample, ...] = ()
    problems: tuple[Problem, ...] = ()
    spare_masks: tuple[Path, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[Index]) -> Index:
        """All of `parts` in one."""
        parts = list(parts)
        return cls(
            tuple(chain.from_iterable(part.samples for part in parts)),
            tuple(chain.from_iterable(part.problems for part in parts)),
            tuple(chain.from_iterable(part.spare_masks for part in parts)),
        )
