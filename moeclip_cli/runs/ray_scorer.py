"""Scoring on a Ray cluster: each actor loads the model once, scores images, writes their files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moeclip_cli.discovery.inputs import ImageRef
from moeclip_cli.discovery.walk import OUTPUT_MARKER
from moeclip_cli.inspection.result import Result
from moeclip_cli.runs.batches import batches
from moeclip_cli.runs.folder import remove_partial_files
from moeclip_cli.runs.ray_actors import Site, actor_pool, require_equal
from moeclip_cli.runs.stream import JobsOf, Pace, PromptFunction, results_with_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from moeclip_cli.discovery.places import ImagePlace
    from moeclip_cli.exports.onnx_inspector import OnnxInspector
    from moeclip_cli.inspection.good_scores import GoodScores
    from moeclip_cli.inspection.inspector import Inspector
    from moeclip_cli.inspection.scorer import Named
    from moeclip_cli.inspection.thresholds import AppliedThreshold
    from moeclip_cli.parallel.ray_cluster import Share
    from moeclip_cli.parallel.ray_pool import RayPool

# Batches of a task: many enough to hide its ends, and few enough to lose little with an actor.
_BATCHES = 4
# A GPU computes one task while the images of the next one are decoded.
_TASKS_AT_A_TIME = {"cuda": 2, "cpu": 1}

Load = Callable[[], "Inspector | OnnxInspector"]
Task = list[tuple[ImageRef, str]]


@dataclass(frozen=True)
class Assignment:
    """What the actors of a run do with images.

    Attributes:
        load: loads the model onto the device of an actor.
        settings: of the inspector that it gives.
        jobs_of: see `results_with_files`.
        pace: batch size and threads.
        experts_layer: see `Inspector.score`.
        keep_map: whether results keep their probability map.
        site: what a node must have.
    """

    load: Load
    settings: dict[str, Any]
    jobs_of: JobsOf
    pace: Pace
    experts_layer: int | None
    keep_map: bool
    site: Site


class ScoringActor:
    """Scores images in a process of the cluster.

    Args:
        assignment: what to do.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    def start(self) -> None:
        """Load the model.

        Raises:
            ModelError: if it cannot be loaded, or is another one than that of the command.
            UsageError: if this machine has another version of moeclip, or lacks a shared file.
        """
        self._assignment.site.enter()
        self._inspector = self._assignment.load()
        require_equal(self._assignment.settings, self._inspector.settings)

    def work(self, task: Task) -> list[Result]:
        """Score images and write their files; the results have no maps that nobody needs.

        Raises:
            ModelError, UsageError: see `results_with_files`.
        """
        prompts = {ref.path: prompt for ref, prompt in task}
        found = results_with_files(
            self._inspector,
            [ref for ref, _ in task],
            prompts.__getitem__,
            self._assignment.jobs_of,
            self._assignment.pace,
            experts_layer=self._assignment.experts_layer,
        )
        return [self._sent(result) for _, result in found]

    def _sent(self, result: Result) -> Result:
        slim = replace(result, raw_map=None, experts=None, distances=None)
        return slim if self._assignment.keep_map else replace(slim, probability=None, roi=None)


@dataclass(frozen=True)
class RayScorer:
    """Scores images with the actors of the cluster that this process has joined.

    Attributes:
        inspector: the same model on the CPU of this process, for its facts.
        load: loads it in an actor.
        share: number and size of the actors.
        folder: the output folder, if actors write files there.
        keep_map: whether results keep their probability map.
        remark: called with a sentence about what was lost and is tried again.
    """

    inspector: Inspector | OnnxInspector
    load: Load
    share: Share
    folder: Path | None = None
    keep_map: bool = False
    remark: Callable[[str], None] = lambda sentence: None

    @property
    def model(self) -> Named:
        """The model and its name in tables."""
        return self.inspector.model

    @property
    def device_name(self) -> str:
        """The actors in words."""
        return str(self.share)

    @property
    def threshold(self) -> AppliedThreshold:
        """The threshold of the verdicts and its origin."""
        return self.inspector.threshold

    @property
    def good_scores(self) -> GoodScores:
        """Scores of good parts, which percentiles refer to."""
        return self.inspector.good_scores

    def read_pixels(self, path: ImagePlace) -> NDArray[np.uint8]:
        """Decode an image file in this process, (H, W, 3) uint8 RGB; raises `ImageError`."""
        return self.inspector.read_pixels(path)

    def results_with_files(
        self,
        refs: Iterable[ImageRef],
        prompt: PromptFunction,
        jobs_of: JobsOf,
        pace: Pace,
        *,
        experts_layer: int | None,
    ) -> Iterator[tuple[ImageRef, Result]]:
        """Score `refs` on the cluster; see the function of this name.

        Raises:
            ModelError, UsageError: of an actor.
            ProcessLostError: if actors are lost again and again.
        """
        tasks = _tasks(refs, pace.batch_size)
        first = next(tasks, None)
        if first is None:
            return
        paths = (ref.path for ref in first[:1])
        images = [path for path in paths if isinstance(path, Path) and path.exists()]
        outputs = [] if self.folder is None else [self.folder / OUTPUT_MARKER]
        assignment = Assignment(
            self.load,
            self.inspector.settings,
            jobs_of,
            pace,
            experts_layer,
            self.keep_map,
            Site(Path.cwd(), (*outputs, *images)),
        )
        sent: deque[list[ImageRef]] = deque()

        def with_prompts() -> Iterator[Task]:
            for task in chain([first], tasks):
                sent.append(task)
                yield [(ref, prompt(Path(str(ref.path)))) for ref in task]

        for results in self._work(assignment, with_prompts()):
            yield from zip(sent.popleft(), results, strict=True)

    def _work(self, assignment: Assignment, tasks: Iterator[Task]) -> Iterator[list[Result]]:
        at_a_time = _TASKS_AT_A_TIME[self.share.device]
        pool: RayPool[Task, list[Result]] = actor_pool(
            ScoringActor,
            assignment,
            self.share,
            at_a_time=at_a_time,
            depth=at_a_time + 1,
            remark=self.remark,
        )
        yield from pool.map(tasks)
        if pool.retries and self.folder is not None:
            below = [each.name for each in self.folder.iterdir() if each.is_dir()]
            remove_partial_files(self.folder, below)


def _tasks(refs: Iterable[ImageRef], batch_size: int) -> Iterator[list[ImageRef]]:
    """The images in tasks of whole batches, which are those of a run in one process."""
    found = batches(refs, batch_size)
    while task := list(chain.from_iterable(islice(found, _BATCHES))):
        yield task
