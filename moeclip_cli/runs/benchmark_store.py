"""Results of finished categories, kept in the output folder so that a killed run can continue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.files import replacing, size_and_time
from moeclip_cli.runs.benchmark_job import Task
from moeclip_cli.runs.kinds import CATEGORIES
from moeclip_cli.runs.names import output_path


@dataclass(frozen=True)
class CategoryFile:
    """The file with the results of one task: one, or one for each number of references.

    Attributes:
        path: the file.
        fingerprint: of everything that decided the results.
    """

    path: Path
    fingerprint: str

    @classmethod
    def of(cls, folder: Path, task: Task) -> CategoryFile:
        """The file of a task.

        Call it before the task runs: an image that changes later then changes the fingerprint.

        Args:
            folder: output folder of the benchmark.
            task: a model on a category.
        """
        part = task.part
        name = str(Path(f"{task.number:02d}", part.dataset.name, part.category))
        return cls(output_path(folder / CATEGORIES, name, ".json"), _fingerprint(task))

    def read(self) -> list[CategoryResult] | None:
        """The results, or None if there are none with this fingerprint."""
        try:
            content = json.loads(self.path.read_bytes())
            if content["fingerprint"] == self.fingerprint:
                return [CategoryResult.from_dict(result) for result in content["results"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def write(self, results: Sequence[CategoryResult]) -> None:
        """Keep the results.

        Raises:
            UsageError: if the file cannot be written.
        """
        content = {
            "fingerprint": self.fingerprint,
            "results": [result.to_dict() for result in results],
        }
        with replacing(self.path, durable=True) as stream:
            stream.write(json.dumps(content, ensure_ascii=True).encode())


def _fingerprint(task: Task) -> str:
    part, dataset = task.part, task.part.dataset
    samples = [
        (
            dataset.relative(sample.image),
            sample.label,
            size_and_time(sample.image),
            None
            if sample.mask is None
            else (dataset.relative(sample.mask), size_and_time(sample.mask)),
        )
        for sample in part.samples
    ]
    content = [
        task.model.name,
        dict(task.model.identity),
        dataset.domain,
        part.prompt,
        part.protocols,
        task.mask_cut,
        samples,
    ]
    if part.draws is not None:
        images = {image for order in part.draws.orders for image in order}
        content += [
            part.draws.shots,
            [[dataset.relative(image) for image in order] for order in part.draws.orders],
            [(dataset.relative(image), size_and_time(image)) for image in sorted(images)],
        ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
