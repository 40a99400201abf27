"""Dataset check: missing, unpaired and unreadable files, and sizes that do not match."""

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
class CategoryCounts:
    """Number of images of one category.

    Attributes:
        category: name of the category.
        found: images present.
        expected: images published; None if unknown.
        masks: images that have a mask.
    """

    category: str
    found: Counts
    expected: Counts | None
    masks: int


@dataclass(frozen=True)
class CheckReport:
    """Result of a check.

    Attributes:
        dataset: the dataset that was checked.
        categories: counts of each category that is present or expected.
        problems: problems with files.
    """

    dataset: Dataset
    categories: tuple[CategoryCounts, ...]
    problems: tuple[Problem, ...]

    @property
    def total(self) -> Counts:
        """Number of images present in all categories."""
        return Counts.total(category.found for category in self.categories)

    @property
    def counts_match(self) -> bool:
        """True if every category with expected counts has exactly these."""
        return all(category.expected in (None, category.found) for category in self.categories)

    @property
    def passed(self) -> bool:
        """True if all counts match and no file has a problem."""
        return self.counts_match and not self.problems


def check_dataset(
    dataset: Dataset, index: Index, *, workers: int, advance: Callable[[], None]
) -> CheckReport:
    """Read every image and mask of a dataset, and compare sizes and counts.

    Args:
        dataset: dataset returned by `inspect_dataset`.
        index: index returned by `inspect_dataset`.
        workers: number of decoding threads.
        advance: called after each sample.
    """
    problems = list(index.problems)
    problems += [
        Problem("unpaired", mask, "no image belongs to this mask") for mask in index.spare_masks
    ]
    for sample_problems in prefetch(
        dataset.samples, _check, workers=workers, ahead=4 * workers + 1
    ):
        problems += sample_problems
        advance()
    return CheckReport(dataset, count_categories(dataset), tuple(problems))


def count_categories(dataset: Dataset) -> tuple[CategoryCounts, ...]:
    """Count the images and masks of every category that is present or expected."""
    counts = dataset.counts()
    masks = Counter(sample.category for sample in dataset.samples if sample.mask is not None)
    return tuple(
        CategoryCounts(
            name, counts.get(name, Counts(0, 0)), dataset.expected.get(name), masks[name]
        )
        for name in dict.fromkeys((*dataset.expected, *counts))
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
        message = f"{mask_width} x {mask_height} pixels, but its image has {width} x {height}"
        problems.append(Problem("size", sample.mask, message))
    return problems


def _size(path: Path) -> tuple[int, int]:
    """Decode an image completely and return its upright width and height."""
    height, width = decode(path).pixels.shape[:2]
    return width, height
