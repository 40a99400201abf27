"""What a benchmark is to evaluate: datasets, their categories, and what is odd about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moeclip_cli.checkpoints.configuration import Domain
from moeclip_cli.datasets.catalogue import CATALOGUE, DatasetSpec
from moeclip_cli.datasets.check import Tally, tally
from moeclip_cli.datasets.dataset import Dataset, Sample
from moeclip_cli.datasets.opening import open_dataset, resolve_data_root
from moeclip_cli.errors import DatasetError, UsageError
from moeclip_cli.evaluation.results import PROTOCOLS, Protocol


@dataclass(frozen=True)
class Part:
    """A category that is evaluated by itself.

    Attributes:
        dataset: whose it is.
        category: its name; of a variant, the variant's.
        prompt: how the object is named to the model.
        samples: its images.
        protocols: what to evaluate by.
    """

    dataset: Dataset
    category: str
    prompt: str
    samples: tuple[Sample, ...]
    protocols: tuple[Protocol, ...]


@dataclass(frozen=True)
class Selection:
    """Datasets that were found, and what was not.

    Attributes:
        datasets: opened ones.
        missing: those of the 14 that are not there, if all were asked for.
        broken: what is wrong with each of those that are there but could not be opened.
    """

    datasets: tuple[Dataset, ...]
    missing: tuple[DatasetSpec, ...] = ()
    broken: tuple[str, ...] = ()

    def remarks(self, limit: int | None = None) -> list[str]:
        """What a reader of the numbers has to know, a sentence each.

        Args:
            limit: most images of each category that are evaluated.
        """
        remarks = self._oddities()
        remarks += [f"{spec.title} was not found; {spec.where_to_get}." for spec in self.missing]
        if limit is not None:
            remarks.append(
                f"No more than {limit} of each category's images were evaluated; the numbers are "
                "not comparable with published ones."
            )
        return remarks

    def require_as_published(self) -> None:
        """Refuse datasets with other numbers of images than published, or that are broken.

        Raises:
            DatasetError: naming the first.
        """
        for sentence in self._oddities():
            raise DatasetError(sentence)

    def _oddities(self) -> list[str]:
        odd = [odd_counts(dataset) for dataset in self.datasets]
        return [*filter(None, odd), *(f"Left out: {sentence}" for sentence in self.broken)]


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
        names: names of published datasets, or paths.
        own: folders and manifests of own data.
        data_root: where the published ones lie.
        everything: all of the 14 that are there, besides.
        prompt: how the objects of own data are called, if not like their categories; published
            datasets keep their prompts.
        domain: of own data, likewise.

    Raises:
        DatasetError: if a named one cannot be opened, or nothing is there at all.
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
    datasets = [each if each.expected else _own(each, prompt, domain) for each in datasets]
    if not datasets:
        raise DatasetError(broken[0] if broken else _nothing(resolve_data_root(data_root)))
    by_place = {(dataset.name, dataset.root): dataset for dataset in datasets}
    _require_different_names(list(by_place.values()))
    return Selection(tuple(by_place.values()), tuple(missing), tuple(broken))


def parts(
    dataset: Dataset, protocols: Sequence[Protocol] | None, limit: int | None
) -> Iterator[Part]:
    """The categories of a dataset, or their variants, in its order.

    Args:
        dataset: what to evaluate.
        protocols: what by; None for the paper's on the paper's datasets and the deployed one on
            own data.
        limit: most images of each, taken evenly from normal and anomalous ones.
    """
    by_group: dict[str, list[Sample]] = {}
    for sample in dataset.samples:
        by_group.setdefault(sample.group, []).append(sample)
    default: Sequence[Protocol] = PROTOCOLS[:1] if dataset.expected else PROTOCOLS[1:]
    for group, samples in by_group.items():
        prompt = dataset.prompts[samples[0].category]
        chosen = samples if limit is None else _thinned(samples, limit)
        yield Part(dataset, group, prompt, tuple(chosen), tuple(protocols or default))


def odd_counts(dataset: Dataset) -> str | None:
    """A sentence about categories whose numbers of images are not the published ones."""
    odd = [each for each in tally(dataset) if each.expected not in (None, each.found)]
    if not odd:
        return None
    more = f", and {len(odd) - 1} more categories differ" if len(odd) > 1 else ""
    return (
        f"{dataset.title} is not the published test split: {_difference(odd[0])}{more}; "
        f"'moeclip datasets check {dataset.name}' lists all."
    )


def _difference(odd: Tally) -> str:
    expected = odd.expected
    wanted = "" if expected is None else f"{expected.normal} and {expected.anomalous}"
    return (
        f"{odd.category} has {odd.found.normal} normal and {odd.found.anomalous} anomalous images "
        f"instead of {wanted}"
    )


def _own(dataset: Dataset, prompt: str | None, domain: Domain | None) -> Dataset:
    prompts = dataset.prompts if prompt is None else dict.fromkeys(dataset.prompts, prompt)
    return replace(dataset, prompts=prompts, domain=domain or dataset.domain)


def _nothing(root: Path) -> str:
    folders = ", ".join(spec.folders[0] for spec in CATALOGUE)
    return (
        f"None of the 14 datasets is in {root}; put their folders ({folders}) into one folder and "
        "name it with --data-root or MOECLIP_DATA; 'moeclip datasets' says where to get each."
    )


def _require_different_names(datasets: Sequence[Dataset]) -> None:
    seen: dict[str, Dataset] = {}
    for dataset in datasets:
        # Either names a file or a line of a table.
        for name in (dataset.name.casefold(), dataset.title.casefold()):
            other = seen.setdefault(name, dataset)
            if other is not dataset:
                raise UsageError(
                    f"{other.root} and {dataset.root} are both called {dataset.title}; rename one, "
                    "or evaluate them in two runs."
                )


def _thinned(samples: Sequence[Sample], limit: int) -> list[Sample]:
    """At most `limit` samples, spread over each label, both labels alike as far as they go."""
    labels = [[i for i, sample in enumerate(samples) if sample.label == label] for label in (0, 1)]
    fewer, more = sorted(labels, key=len)
    first = min(len(fewer), limit // 2)
    kept = [*_spread(fewer, first), *_spread(more, min(len(more), limit - first))]
    return [samples[index] for index in sorted(kept)]


def _spread(items: Sequence[int], count: int) -> list[int]:
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]
