"""Datasets as labelled images with masks, independent of their source."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moeclip_cli.model.config import Domain

COLUMNS = ("image_path", "label", "class_name", "mask_path")


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes:
        image: the image file.
        label: 0 normal, 1 anomalous.
        category: product or organ that it shows.
        mask: image whose non-zero pixels are anomalous; None if there is no mask. A normal image
            without a mask has no anomalous pixels.
        variant: part of the category that is evaluated separately, if any.
    """

    image: Path
    label: int
    category: str
    mask: Path | None = None
    variant: str | None = None

    @property
    def group(self) -> str:
        """Group that metrics are computed over: the variant, else the category."""
        return self.variant or self.category


@dataclass(frozen=True)
class Counts:
    """Number of normal and of anomalous images."""

    normal: int
    anomalous: int

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """Return the sum of `parts`."""
        pairs = [(part.normal, part.anomalous) for part in parts]
        return cls(sum(normal for normal, _ in pairs), sum(anomalous for _, anomalous in pairs))


@dataclass(frozen=True)
class Dataset:
    """Samples of one or several categories.

    Attributes:
        name: name on the command line, such as "mvtec"; for the user's own data, the name of the
            folder or file.
        title: name in the paper's tables, such as "Brain MRI"; for the user's own data, its name.
        domain: scoring domain.
        root: folder that rows are relative to.
        samples: the samples, in a fixed order.
        prompts: prompt by category.
        expected: published number of images by category; empty if unknown.
        training: normal images of the training split, in a fixed order; empty if there is none.
    """

    name: str
    title: str
    domain: Domain
    root: Path
    samples: tuple[Sample, ...]
    prompts: Mapping[str, str]
    expected: Mapping[str, Counts] = field(default_factory=dict)
    training: tuple[Sample, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories that have a sample, in the order of the samples."""
        return tuple(dict.fromkeys(sample.category for sample in self.samples))

    def counts(self) -> dict[str, Counts]:
        """Count the images of each category."""
        counter = Counter((sample.category, sample.label) for sample in self.samples)
        return {name: Counts(counter[name, 0], counter[name, 1]) for name in self.categories}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the samples as rows of `COLUMNS`, with `mask_path` only if there is a mask.

        Paths are POSIX paths, relative to `root` if they are below it, else absolute. A JSONL or
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

    @property
    def digest(self) -> str:
        """SHA-256 of the rows that list the images."""
        listing = "\n".join(json.dumps(row) for row in self.rows())
        return hashlib.sha256(listing.encode()).hexdigest()

    def relative(self, path: Path) -> str:
        """Return a path in the form that rows use."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
