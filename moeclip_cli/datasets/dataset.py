"""A dataset: labelled images with masks, wherever they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moeclip_cli.checkpoints.configuration import Domain

COLUMNS = ("image_path", "label", "class_name", "mask_path")


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: the image file.
        label: 0 normal, 1 anomalous.
        category: which product or organ it shows.
        mask: image in which the anomalous pixels are not zero; None where there is none, and then
            a normal image has no anomalous pixel.
        variant: the part of the category that is evaluated by itself, if there are such parts.
    """

    image: Path
    label: int
    category: str
    mask: Path | None = None
    variant: str | None = None

    @property
    def group(self) -> str:
        """What a metric is computed over: the variant, else the category."""
        return self.variant or self.category


@dataclass(frozen=True)
class Counts:
    """Numbers of images."""

    normal: int
    anomalous: int

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """The sum of `parts`."""
        pairs = [(part.normal, part.anomalous) for part in parts]
        return cls(sum(normal for normal, _ in pairs), sum(anomalous for _, anomalous in pairs))


@dataclass(frozen=True)
class Dataset:
    """Samples of one or several categories.

    Attributes:
        name: as on the command line, such as "mvtec"; of own data the folder's or file's name.
        title: as in the paper's tables, such as "Brain MRI"; of own data its name.
        domain: decides how scores are formed.
        root: the folder that rows are relative to.
        samples: in a fixed order.
        prompts: category -> how it is named to the model.
        expected: category -> how many images it should have; empty where nobody knows.
    """

    name: str
    title: str
    domain: Domain
    root: Path
    samples: tuple[Sample, ...]
    prompts: Mapping[str, str]
    expected: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that have a sample, in the samples' order."""
        return tuple(dict.fromkeys(sample.category for sample in self.samples))

    @property
    def has_masks(self) -> bool:
        """Whether any sample has a mask."""
        return any(sample.mask for sample in self.samples)

    def counts(self) -> dict[str, Counts]:
        """How many images each category has."""
        found = Counter((sample.category, sample.label) for sample in self.samples)
        return {name: Counts(found[name, 0], found[name, 1]) for name in self.categories}

    def rows(self) -> Iterator[dict[str, Any]]:
        """The samples as rows of `COLUMNS`; `mask_path` only where there is a mask.

        Paths are POSIX paths relative to `root`, or absolute where they lie elsewhere. A JSONL or
        CSV file of these rows in `root` is a manifest of the same dataset.
        """
        for sample in self.samples:
            row = {
                "image_path": self.relative(sample.image),
                "label": sample.label,
                "class_name": sample.category,
            }
            if sample.mask is not None:
                row["mask_path"] = self.relative(sample.mask)
            yield row

    def relative(self, path: Path) -> str:
        """A path as rows have it."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
