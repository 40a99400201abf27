"""Selection of the datasets and categories that a benchmark evaluates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moeclip_cli.datasets.catalogue import CATALOGUE, DatasetSpec
from moeclip_cli.datasets.check import CategoryCounts, count_categories
from moeclip_cli.datasets.dataset import Dataset, Sample
from moeclip_cli.datasets.opening import open_dataset, resolve_data_root
from moeclip_cli.errors import DatasetError, UsageError
from moeclip_cli.evaluation.results import PROTOCOLS, Protocol
from moeclip_cli.evaluation.shots import Draws, FewShot, draw
from moeclip_cli.model.config import Domain


@dataclass(frozen=True)
class Part:
    """A part of a benchmark: one category of a dataset, or one variant of a category.

    Attributes:
        dataset: the dataset that it belongs to.
        category: name of the category or variant.
        prompt: name of the object for the model.
        samples: its images.
        protocols: the protocols to evaluate under.
        training: normal images of the training split.
        draws: those of them that are references, in a few-shot evaluation.
    """

    dataset: Dataset
    category: str
    prompt: str
    samples: tuple[Sample, ...]
    protocols: tuple[Protocol, ...]
    training: tuple[Path, ...] = ()
    draws: Draws | None = None


@dataclass(frozen=True)
class Selection:
    """The datasets to evaluate, and those that are missing or broken.

    Attributes:
        datasets: opened datasets.
        missing: published datasets that were not found, if all were requested.
        broken: an error message for each published dataset that was found but could not be opened,
            if all were requested.
    """

    datasets: tuple[Dataset, ...]
    missing: tuple[DatasetSpec, ...] = ()
    broken: tuple[str, ...] = ()

    def remarks(self, limit: int | None = None) -> list[str]:
        """Caveats about the numbers, one sentence each.

        Args:
            limit: maximum number of images evaluated per category.
        """
        remarks = self._oddities()
        remarks += [f"{spec.title} was not found; {spec.where_to_get}." for spec in self.missing]
        if limit is not None:
            remarks.append(
                f"At most {limit} images per category were evaluated; the numbers are not "
                "comparable with published ones."
            )
        return remarks

    def require_as_published(self) -> None:
        """Check that every dataset has the published numbers of images and that none is broken.

        Raises:
            DatasetError: about the first dataset that fails the check.
        """
        for sentence in self._oddities():
            raise DatasetError(sentence)

    def _oddities(self) -> list[str]:
        counts = [count_mismatch(dataset) for dataset in self.datasets]
        return [*filter(None, counts), *(f"Skipped: {sentence}" for sentence in self.broken)]


def select_datasets(
    names: Sequence[str],
    own: Sequence[Path],
    data_root: Path | None,
    *,
    everything: bool = False,
    prompt: str | None = None,
    domain: Domain | None = None,
) -> Selection:
    """Open the datasets to evaluate.

    Args:
        names: names of published datasets, or paths of own data.
        own: folders and manifests of own data.
        data_root: folder that contains the published datasets.
        everything: whether to add all of the 14 published datasets that are found.
        prompt: name of the objects in own data; by default the category names. Published datasets
            keep their prompts.
        domain: domain of own data; by default the dataset's. Published datasets keep theirs.

    Raises:
        DatasetError: if a named dataset cannot be opened, or no dataset is found.
        UsageError: if two different datasets have the same name.
    """
    datasets = [open_dataset(name, data_root) for name in names]
    missing, broken = [], []
    if everything:
        root = resolve_data_root(data_root)
        for spec in CATALOGUE:
            if spec.find_folder(root) is None:
                missing.append(spec)
                continue
            try:
                datasets.append(open_dataset(spec.name, data_root))
            except DatasetError as error:
                broken.append(str(error))
    datasets += [open_dataset(Path(path)) for path in own]
    datasets = [each if each.expected else _with(each, prompt, domain) for each in datasets]
    if not datasets:
        raise DatasetError(broken[0] if broken else _none_found(resolve_data_root(data_root)))
    by_place = {(dataset.name, dataset.root): dataset for dataset in datasets}
    _require_different_names(list(by_place.values()))
    return Selection(tuple(by_place.values()), tuple(missing), tuple(broken))


def parts(
    dataset: Dataset, protocols: Sequence[Protocol] | None, limit: int | None
) -> Iterator[Part]:
    """The categories or variants of a dataset, in its order.

    Args:
        dataset: the dataset to evaluate.
        protocols: the protocols to evaluate under; None for "paper" on published datasets and
            "deployed" on own data.
        limit: maximum number of images per part, half of them normal if possible.
    """
    by_group: dict[str, list[Sample]] = {}
    for sample in dataset.samples:
        by_group.setdefault(sample.group, []).append(sample)
    default: Sequence[Protocol] = PROTOCOLS[:1] if dataset.expected else PROTOCOLS[1:]
    for group, samples in by_group.items():
        prompt = dataset.prompts[samples[0].category]
        limited = samples if limit is None else _limited(samples, limit)
        training = tuple(each.image for each in dataset.training if each.group == group)
        yield Part(dataset, group, prompt, tuple(limited), tuple(protocols or default), training)


def with_draws(parts: Sequence[Part], few_shot: FewShot) -> tuple[list[Part], list[str]]:
    """The parts that have good training images, each with its draws, and sentences on the others.

    Args:
        parts: of one dataset.
        few_shot: numbers of references and of draws.

    Returns:
        The parts to evaluate, and a sentence for each part that is skipped, or evaluated with some
        of the numbers of references only.
    """
    if not any(part.training for part in parts):
        title = parts[0].dataset.title
        return [], [f"{title} is skipped: it has no good training images to take references from."]
    drawn = [
        replace(part, draws=draw(part.training, part.category, few_shot))
        for part in parts
        if len(part.training) >= few_shot.shots[0]
    ]
    return drawn, list(_shot_remarks(parts, few_shot))


def count_mismatch(dataset: Dataset) -> str | None:
    """A sentence about categories whose image counts differ from the published ones, if any."""
    different = [
        each for each in count_categories(dataset) if each.expected not in (None, each.found)
    ]
    if not different:
        return None
    more = f", and {len(different) - 1} more categories differ" if len(different) > 1 else ""
    return (
        f"{dataset.title} is not the published test split: {_describe(different[0])}{more}. "
        f"To list all differences, run 'moeclip datasets check {dataset.name}'."
    )


def _shot_remarks(parts: Sequence[Part], few_shot: FewShot) -> Iterator[str]:
    for part in parts:
        found = len(part.training)
        missing = [number for number in few_shot.shots if number > found]
        if not missing:
            continue
        left_out = f"left out at {' and '.join(map(str, missing))} shots"
        what = "skipped" if len(missing) == len(few_shot.shots) else left_out
        count = f"only {found}" if found else "no"
        images = "image" if found == 1 else "images"
        yield (
            f"{part.dataset.title}, {part.category} is {what}: it has {count} good training "
            f"{images}."
        )


def _describe(different: CategoryCounts) -> str:
    found, expected = different.found, different.expected
    published = "" if expected is None else f"{expected.normal} and {expected.anomalous}"
    return (
        f"{different.category} has {found.normal} normal and {found.anomalous} anomalous images "
        f"instead of {published}"
    )


def _with(dataset: Dataset, prompt: str | None, domain: Domain | None) -> Dataset:
    prompts = dataset.prompts if prompt is None else dict.fromkeys(dataset.prompts, prompt)
    return replace(dataset, prompts=prompts, domain=domain or dataset.domain)


def _none_found(root: Path) -> str:
    folders = ", ".join(spec.folders[0] for spec in CATALOGUE)
    return (
        f"None of the 14 datasets is in {root}. Put their folders ({folders}) into one folder and "
        "set `data_root` or MOECLIP_DATA to it; 'moeclip datasets list' shows where to get them."
    )


def _require_different_names(datasets: Sequence[Dataset]) -> None:
    seen: dict[str, Dataset] = {}
    for dataset in datasets:
        # The name is part of file names, the title of table lines.
        for name in (dataset.name.casefold(), dataset.title.casefold()):
            other = seen.setdefault(name, dataset)
            if other is not dataset:
                raise UsageError(
                    f"{other.root} and {dataset.root} are both called {dataset.title}. Rename one, "
                    "or evaluate them in separate runs."
                )


def _limited(samples: Sequence[Sample], limit: int) -> list[Sample]:
    """At most `limit` samples, evenly spread over each label; half of each label if possible."""
    labels = [[i for i, sample in enumerate(samples) if sample.label == label] for label in (0, 1)]
    fewer, more = sorted(labels, key=len)
    first = min(len(fewer), limit // 2)
    kept = [*_spread(fewer, first), *_spread(more, min(len(more), limit - first))]
    return [samples[index] for index in sorted(kept)]


def _spread(items: Sequence[int], count: int) -> list[int]:
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]
