"""Checking a dataset: what is missing, unpaired, unreadable or does not fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.datasets.dataset import Counts, Dataset, Sample
from moeclip_cli.datasets.index import Index, Problem
from moeclip_cli.errors import ImageError
from moeclip_cli.images.decode import decode
from moeclip_cli.images.pipeline import prefetch


@dataclass(frozen=True)
class Tally:
    """How many images of a category there are.

    Attributes:
        category: its name.
        found: as there are.
        expected: as there should be; None where nobody knows.
        masks: how many of them have a mask.
    """

    category: str
    found: Counts
    expected: Counts | None
    masks: int


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        dataset: what was checked.
        tallies: one for each category that there is or should be.
        problems: everything that is wrong with files.
    """

    dataset: Dataset
    tallies: tuple[Tally, ...]
    problems: tuple[Problem, ...]

    @property
    def found(self) -> Counts:
        """How many images there are in all."""
        return Counts.total(tally.found for tally in self.tallies)

    @property
    def counts_fit(self) -> bool:
        """Whether every category whose counts are known has them."""
        return all(tally.expected in (None, tally.found) for tally in self.tallies)

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return self.counts_fit and not self.problems


def check_dataset(
    dataset: Dataset, index: Index, *, workers: int, advance: Callable[[], None]
) -> Report:
    """Reads every image and mask of a dataset, and compares sizes and counts.

    Args:
        dataset: what `inspect_dataset` returned.
        index: what it returned beside it.
        workers: threads that decode.
        advance: called after each sample.
    """
    problems = list(index.problems)
    problems += [Problem("unpaired", mask, "no image has this mask") for mask in index.spare_masks]
    for found in prefetch(dataset.samples, _check, workers=workers, ahead=4 * workers + 1):
        problems += found
        advance()
    return Report(dataset, tally(dataset), tuple(problems))


def tally(dataset: Dataset) -> tuple[Tally, ...]:
    """Counts the images and masks of every category that there is or should be."""
    found = dataset.counts()
    masks = Counter(sample.category for sample in dataset.samples if sample.mask is not None)
    return tuple(
        Tally(name, found.get(name, Counts(0, 0)), dataset.expected.get(name), masks[name])
        for name in dict.fromkeys((*dataset.expected, *found))
    )


def _check(sample: Sample) -> list[Problem]:
    sizes, problems = [], []
    for path in filter(None, (sample.image, sample.mask)):
        try:
            sizes.append(_size(path))
        except ImageError as error:
            problems.append(Problem("unreadable", path, str(error)))
    if sample.mask is not None and len(set(sizes)) == 2:
        (width, height), (mask_width, mask_height) = sizes
        what = f"{mask_width} x {mask_height} pixels, but its image has {width} x {height}"
        problems.append(Problem("size", sample.mask, what))
    return problems


def _size(path: Path) -> tuple[int, int]:
    """Width and height as the image is seen, after reading all of it."""
    height, width = decode(path).pixels.shape[:2]
    return width, height
