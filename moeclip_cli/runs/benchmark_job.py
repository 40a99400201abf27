"""The description of a benchmark: models, datasets and choices, and the categories to evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from moeclip_cli.datasets.dataset import Counts, Dataset
from moeclip_cli.errors import DatasetError
from moeclip_cli.evaluation.plan import Part, Selection, parts, with_draws
from moeclip_cli.evaluation.results import PROTOCOLS, CategoryResult, Protocol, ProtocolChoice
from moeclip_cli.evaluation.shots import SEED, FewShot
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.parallel.world import World
from moeclip_cli.runs.benchmark_models import BenchmarkedModel
from moeclip_cli.runs.benchmark_seen import seen_in_training
from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class Choices:
    """The user's choices that affect the results.

    Attributes:
        protocol: "paper", "deployed" or "both"; None for the default of each dataset.
        limit: maximum number of images per category, or None for all.
        mask_cut: a mask's pixel is anomalous above this value.
        compare: whether the other published methods are shown.
        few_shot: numbers of references from the training split, if images are compared with them.
        own_references: whether images are compared with the same good parts in all categories.
        mutual: whether the images of each category are compared with each other.
    """

    protocol: ProtocolChoice | None = None
    limit: int | None = None
    mask_cut: int = 0
    compare: bool = False
    few_shot: FewShot | None = None
    own_references: bool = False
    mutual: bool = False

    @property
    def by_comparison(self) -> bool:
        """Whether images are compared with other images."""
        return self.few_shot is not None or self.own_references or self.mutual

    @property
    def protocols(self) -> Sequence[Protocol] | None:
        """The protocols by name; None for the default of each dataset."""
        if self.protocol is None:
            # Published methods that compare images score each one on its own.
            return ["deployed"] if self.by_comparison else None
        return [name for name in PROTOCOLS if self.protocol in (name, "both")]


@dataclass(frozen=True)
class Task:
    """One model on one category.

    Attributes:
        number: number of the model in its benchmark, from 0.
        model: the model.
        part: the category.
        mask_cut: a mask's pixel is anomalous above this value.
        few_shot: numbers of references, if the category has its own.
        mutual: whether its images are compared with each other.
    """

    number: int
    model: BenchmarkedModel
    part: Part
    mask_cut: int
    few_shot: FewShot | None = None
    mutual: bool = False

    @property
    def inspector(self) -> Inspector:
        """The model in the domain of the category."""
        return self.model.inspectors[self.part.dataset.domain]


@dataclass(frozen=True)
class BenchmarkJob:
    """Models, datasets and choices.

    Attributes:
        models: the models to evaluate.
        selection: the datasets to evaluate them on.
        choices: protocols, limit and masks.

    Raises:
        DatasetError: if references are to be drawn from training images, and there are none.
    """

    models: Sequence[BenchmarkedModel]
    selection: Selection
    choices: Choices

    def __post_init__(self) -> None:
        if not self._parts_and_remarks[0]:
            raise DatasetError(
                "There are too few good training images to draw references from: put some into "
                "train/good next to the test folder, or give good parts as `reference`."
            )

    @cached_property
    def tasks(self) -> list[Task]:
        """Every model on every category, dataset by dataset."""
        choices = self.choices
        return [
            Task(number, model, part, choices.mask_cut, choices.few_shot, choices.mutual)
            for part in self._parts_and_remarks[0]
            for number, model in enumerate(self.models)
        ]

    @property
    def remarks(self) -> list[str]:
        """Caveats about the numbers, one sentence each."""
        return [*self.selection.remarks(self.choices.limit), *self.seen, *self.skipped]

    @property
    def seen(self) -> list[str]:
        """Sentences about datasets that a model has seen in its training."""
        return [
            sentence
            for model in self.models
            for sentence in seen_in_training(
                model.name, model.loaded.config.training, self.selection.datasets
            )
        ]

    @property
    def skipped(self) -> list[str]:
        """Sentences about categories that have too few good training images."""
        return self._parts_and_remarks[1]

    @cached_property
    def _parts_and_remarks(self) -> tuple[list[Part], list[str]]:
        few_shot = self.choices.few_shot
        found: list[Part] = []
        remarks: list[str] = []
        for dataset in self.selection.datasets:
            of_dataset = list(parts(dataset, self.choices.protocols, self.choices.limit))
            if few_shot is not None:
                of_dataset, sentences = with_draws(of_dataset, few_shot)
                remarks += sentences
            found += of_dataset
        return found, remarks

    @property
    def images(self) -> int:
        """Total number of images to score."""
        return sum(len(task.part.samples) for task in self.tasks)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that must be equal to resume a killed run, short enough for an error message.

        Only draws of references and subsets of compared images are random; without them the seed
        is None. Device, batch size and workers are left out: they change a result by rounding only.
        """
        identities = [model.identity for model in self.models]
        choices, few_shot = self.choices, self.choices.few_shot
        usual = "paper for published datasets, deployed for own data"
        if choices.by_comparison:
            usual = "deployed"
        settings = {
            "command": "benchmark",
            "models": [f"{model.name} ({model.identity['digest'][:16]})" for model in self.models],
            "image_size": [identity["image_size"] for identity in identities],
            "scales": [identity["scales"] for identity in identities],
            "precision": identities[0]["precision"],
            "protocol": choices.protocol or usual,
            "limit": choices.limit,
            "mask_cut": choices.mask_cut,
            "compare": choices.compare,
            "seed": None if few_shot is None else SEED,
            "datasets": [f"{each.title} in {each.root}" for each in self.selection.datasets],
        }
        if few_shot is not None:
            settings |= {"shots": list(few_shot.shots), "draws": few_shot.draws}
        if choices.own_references:
            settings["references"] = identities[0]["references"]
        if few_shot is not None or choices.own_references:
            settings["reference_rotations"] = identities[0]["reference_rotations"]
        if "tile" in identities[0]:
            settings["tile"] = [identity["tile"] for identity in identities]
            settings["overlap"] = identities[0]["overlap"]
        if choices.mutual:
            same = ("mode", "subset_size", "windows", "share")
            settings |= {name: identities[0][name] for name in same}
            settings["layers"] = [identity["layers"] for identity in identities]
            settings["seed"] = identities[0]["subset_seed"]
        return settings

    def describe(self, environment: Mapping[str, Any]) -> dict[str, Any]:
        """Settings, environment, models and datasets, for the report."""
        return {
            "settings": self.settings,
            "environment": dict(environment),
            "models": [
                {"name": model.name, **model.identity, "configuration": model.configuration}
                for model in self.models
            ],
            "datasets": [_describe(dataset) for dataset in self.selection.datasets],
        }


def _describe(dataset: Dataset) -> dict[str, Any]:
    actual = Counts.total(dataset.counts().values())
    expected = Counts.total(dataset.expected.values())
    return {
        "name": dataset.name,
        "title": dataset.title,
        "domain": dataset.domain,
        "root": str(dataset.root.resolve()),
        "normal": actual.normal,
        "anomalous": actual.anomalous,
        "expected": [expected.normal, expected.anomalous] if dataset.expected else None,
    }


@dataclass(frozen=True)
class Execution:
    """Resources and callbacks of a benchmark; they do not change a result.

    Attributes:
        pace: batch size and threads, the same in all processes.
        world: the processes that share the work; by default this one alone.
        turn: number of the category among those that are evaluated, from 0; it decides which
            process compares the images of a category with each other.
        advance: called with the number of images done since the last call.
        observe: called with the results of each task, kept ones included; possibly in another
            thread.
        elsewhere: yields the results of the tasks with some indices from other processes, if they
            evaluate all of them.
    """

    pace: Pace
    world: World = field(default_factory=World)
    turn: int = 0
    advance: Callable[[int], None] = lambda images: None
    observe: Callable[[Sequence[CategoryResult]], None] = lambda results: None
    elsewhere: Callable[[Sequence[int]], Iterator[tuple[int, Sequence[CategoryResult]]]] | None = (
        None
    )
