"""A benchmark on a Ray cluster: each actor loads the models once and evaluates whole categories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.runs.benchmark_category import evaluate_category
from moeclip_cli.runs.benchmark_job import BenchmarkJob, Choices, Execution
from moeclip_cli.runs.ray_actors import Site, actor_pool, require_equal
from moeclip_cli.runs.stream import Pace

if TYPE_CHECKING:
    from moeclip_cli.evaluation.plan import Selection
    from moeclip_cli.parallel.ray_cluster import Share
    from moeclip_cli.runs.benchmark_models import BenchmarkedModel

LoadModels = Callable[[], "Sequence[BenchmarkedModel]"]


@dataclass(frozen=True)
class BenchmarkAssignment:
    """What the actors of a benchmark do.

    Attributes:
        load: loads the models onto the device of an actor.
        identities: of the models in the command.
        selection: the datasets.
        choices: protocols, limit and masks.
        pace: batch size and threads.
        site: what a node must have.
    """

    load: LoadModels
    identities: Sequence[Mapping[str, Any]]
    selection: Selection
    choices: Choices
    pace: Pace
    site: Site


class BenchmarkActor:
    """Evaluates models on categories in a process of the cluster.

    Args:
        assignment: what to do.
    """

    def __init__(self, assignment: BenchmarkAssignment) -> None:
        self._assignment = assignment

    def start(self) -> None:
        """Load the models.

        Raises:
            ModelError: if one cannot be loaded, or is another one than that of the command.
            UsageError: if this machine has another version of moeclip, or lacks a shared file.
        """
        self._assignment.site.enter()
        models = self._assignment.load()
        for expected, model in zip(self._assignment.identities, models, strict=True):
            require_equal(expected, model.identity)
        job = BenchmarkJob(models, self._assignment.selection, self._assignment.choices)
        self._tasks = job.tasks

    def work(self, index: int) -> list[CategoryResult]:
        """The results of the task with this index.

        Raises:
            ModelError, UsageError: see `evaluate_category`.
        """
        found: list[CategoryResult] = []
        with ThreadPoolExecutor(1, "moeclip-metrics") as pool:
            execution = Execution(self._assignment.pace)
            evaluate_category(self._tasks[index], execution, pool, found.extend).result()
        return found


@dataclass(frozen=True)
class RayEvaluation:
    """Evaluates categories with the actors of the cluster that this process has joined.

    Attributes:
        load: loads the models in an actor.
        job: the benchmark, with the same models in this process.
        pace: batch size and threads of an actor.
        share: number and size of the actors.
        remark: called with a sentence about what was lost and is tried again.
    """

    load: LoadModels
    job: BenchmarkJob
    pace: Pace
    share: Share
    remark: Callable[[str], None]

    def __call__(self, indices: Sequence[int]) -> Iterator[tuple[int, list[CategoryResult]]]:
        """Yield the index and the results of these tasks of the job, in their order.

        Raises:
            ModelError, UsageError: of an actor.
            ProcessLostError: if actors are lost again and again.
        """
        if not indices:
            return
        datasets = tuple(each.root for each in self.job.selection.datasets)
        assignment = BenchmarkAssignment(
            self.load,
            [model.identity for model in self.job.models],
            self.job.selection,
            self.job.choices,
            self.pace,
            Site(Path.cwd(), datasets),
        )
        pool = actor_pool(
            BenchmarkActor, assignment, self.share, at_a_time=1, depth=1, remark=self.remark
        )
        yield from zip(indices, pool.map(indices), strict=True)
