"""A benchmark from what the user chose to the files that it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from moeclip_cli.datasets.dataset import Counts, Dataset
from moeclip_cli.evaluation.lines import benchmark_lines
from moeclip_cli.evaluation.plan import Part, Selection, parts
from moeclip_cli.evaluation.results import PROTOCOLS, CategoryResult, Protocol
from moeclip_cli.parallel.world import World
from moeclip_cli.reports.benchmark_files import write_reports
from moeclip_cli.reports.benchmark_report import BenchmarkReport
from moeclip_cli.runs.benchmark_run import BenchmarkedModel, assist_benchmark, run_benchmark
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.stream import Pace


@dataclass(frozen=True)
class Choices:
    """What the user chose, as far as it decides what the files say.

    Attributes:
        protocol: "paper", "deployed" or "both"; None for the default of each dataset.
        limit: most images of each category, or None for all.
        mask_cut: a mask's pixel is anomalous above this value.
        compare: whether the other published methods are shown.
    """

    protocol: str | None = None
    limit: int | None = None
    mask_cut: int = 0
    compare: bool = False

    @property
    def protocols(self) -> Sequence[Protocol] | None:
        """The protocols by name; None for the default of each dataset."""
        if self.protocol is None:
            return None
        return [name for name in PROTOCOLS if self.protocol in (name, "both")]


@dataclass(frozen=True)
class BenchmarkJob:
    """Models, datasets and choices.

    Attributes:
        models: what to evaluate.
        selection: on what.
        choices: how.
    """

    models: Sequence[BenchmarkedModel]
    selection: Selection
    choices: Choices

    @cached_property
    def parts(self) -> list[Part]:
        """The categories to evaluate."""
        protocols, limit = self.choices.protocols, self.choices.limit
        return [
            part for dataset in self.selection.datasets for part in parts(dataset, protocols, limit)
        ]

    @property
    def images(self) -> int:
        """How many images are to be scored in all."""
        return len(self.models) * sum(len(part.samples) for part in self.parts)

    @property
    def settings(self) -> dict[str, Any]:
        """What has to be equal for a killed run to be resumed, short enough for a message.

        Nothing is drawn at random, so the seed is none. Device, batch size and workers change no
        number but by rounding.
        """
        identities = [model.identity for model in self.models]
        choices = self.choices
        return {
            "command": "benchmark",
            "models": [f"{model.name} ({model.identity['digest'][:16]})" for model in self.models],
            "image_size": [identity["image_size"] for identity in identities],
            "scales": [identity["scales"] for identity in identities],
            "precision": identities[0]["precision"],
            "protocol": choices.protocol or "paper for published datasets, deployed for own data",
            "limit": choices.limit,
            "mask_cut": choices.mask_cut,
            "compare": choices.compare,
            "seed": None,
            "datasets": [f"{each.title} in {each.root}" for each in self.selection.datasets],
        }

    def run(
        self,
        folder: RunFolder,
        environment: Mapping[str, Any],
        pace: Pace,
        *,
        advance: Callable[[int], None],
        observe: Callable[[CategoryResult], None],
        world: World | None = None,
    ) -> BenchmarkReport:
        """Evaluate what is not evaluated yet, and write all files.

        Args:
            folder: the claimed output folder.
            environment: when, where and with which versions, for the card.
            pace: batch size and threads.
            advance: see `run_benchmark`.
            observe: likewise.
            world: likewise; the other processes call `assist`.

        Raises:
            ModelError: if a model yields values that are not finite numbers.
            UsageError: if the folder cannot be written.
            ProcessLostError: if another process has ended.
        """
        results = run_benchmark(
            self.models,
            self.parts,
            folder.path,
            pace,
            mask_cut=self.choices.mask_cut,
            advance=advance,
            observe=observe,
            world=world,
        )
        failed = sum(len(result.errors) for result in results)
        remarks = self.selection.remarks(self.choices.limit)
        if failed:
            remarks.append(f"{failed} images were left out: they or their masks are unreadable.")
        lines = benchmark_lines(results, compare=self.choices.compare)
        report = BenchmarkReport(self._card(environment), results, lines, remarks, failed)
        write_reports(folder.path, report)
        folder.card.finish({"images": self.images, "failed": failed})
        return report

    def assist(self, pace: Pace, world: World) -> None:
        """Do this process's share of the job that the first process runs; write nothing.

        Args:
            pace: batch size and threads, those of the first process.
            world: the processes that share the job.

        Raises:
            ModelError: if a model yields values that are not finite numbers.
            ProcessLostError: if another process has ended.
        """
        assist_benchmark(self.models, self.parts, pace, mask_cut=self.choices.mask_cut, world=world)

    def _card(self, environment: Mapping[str, Any]) -> dict[str, Any]:
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
    found = Counts.total(dataset.counts().values())
    expected = Counts.total(dataset.expected.values())
    return {
        "name": dataset.name,
        "title": dataset.title,
        "domain": dataset.domain,
        "root": str(dataset.root.resolve()),
        "normal": found.normal,
        "anomalous": found.anomalous,
        "expected": [expected.normal, expected.anomalous] if dataset.expected else None,
    }
