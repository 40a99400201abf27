"""Index of a dataset's folder: samples, and problems with their files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from moeclip_cli.datasets.dataset import Sample


@dataclass(frozen=True)
class Problem:
    """A problem with a file or folder of a dataset.

    Attributes:
        kind: "missing", "unpaired", "unreadable" or "size".
        path: the file or folder.
        message: description of the problem, without capital or full stop.
    """

    kind: str
    path: Path
    message: str


@dataclass(frozen=True)
class Index:
    """The samples in a folder.

    Attributes:
        samples: in natural order of their folders and names.
        problems: problems that make the samples unusable until they are solved.
        spare_masks: masks without an image, which affect no sample.
        training: normal images of the training split, if the folder has one.
    """

    samples: tuple[Sample, ...] = ()
    problems: tuple[Problem, ...] = ()
    spare_masks: tuple[Path, ...] = ()
    training: tuple[Sample, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[Index]) -> Index:
        """Join several indices into one."""
        parts = list(parts)
        return cls(
            tuple(chain.from_iterable(part.samples for part in parts)),
            tuple(chain.from_iterable(part.problems for part in parts)),
            tuple(chain.from_iterable(part.spare_masks for part in parts)),
            tuple(chain.from_iterable(part.training for part in parts)),
        )
