"""A benchmark in an output folder: what is finished is kept, and a killed run goes on there."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from moeclip_cli.checkpoints.configuration import Domain
from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.plan import Part
from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.reports.files import replacing, write_errors
from moeclip_cli.reports.names import output_path
from moeclip_cli.runs.benchmark_category import CategoryRunner
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.run_card import read_card
from moeclip_cli.runs.stream import Pace

CATEGORIES = "categories"
REPORTS = ("results.json", "results.csv", "results.md", "report.html")


@dataclass(frozen=True)
class BenchmarkedModel:
    """A model of a benchmark.

    Attributes:
        name: what tables call it; no two models share it.
        inspectors: one for each domain, with the same network.
        identity: everything about it that decides its numbers, in JSON's types.
    """

    name: str
    inspectors: Mapping[Domain, Inspector]
    identity: Mapping[str, Any]

    @classmethod
    def load(cls, model: str, *, device: str, precision: str, **options: Any) -> BenchmarkedModel:
        """Load a model for both domains.

        Args:
            model: see `Inspector.load`.
            device: likewise.
            precision: likewise.
            **options: likewise.

        Raises:
            ModelError, UsageError: see `Inspector.load`.
        """
        industrial = Inspector.load(
            model, domain="industrial", device=device, precision=precision, **options
        )
        loaded = industrial.model
        medical = Inspector(loaded, domain="medical", device=device, precision=precision)
        identity = {
            "digest": loaded.digest,
            "backbone_digest": file_digest(loaded.backbone),
            "image_size": industrial.image_size,
            "precision": str(industrial.dtype).removeprefix("torch."),
            "threshold": industrial.threshold.value,
        }
        inspectors: dict[Domain, Inspector] = {"industrial": industrial, "medical": medical}
        return cls(loaded.name, inspectors, identity)

    @property
    def configuration(self) -> dict[str, Any]:
        """The checkpoint's configuration, as it was applied."""
        return self.inspectors["industrial"].model.config.to_dict()


def load_models(models: Sequence[str], **options: Any) -> list[BenchmarkedModel]:
    """Load models, each under a name of its own: where two files are called alike, by their paths.

    Args:
        models: see `Inspector.load`.
        **options: see `BenchmarkedModel.load`.

    Raises:
        ModelError, UsageError: see `Inspector.load`.
    """
    loaded = [BenchmarkedModel.load(model, **options) for model in models]
    often = Counter(each.name for each in loaded)
    return [
        replace(each, name=model) if often[each.name] > 1 else each
        for model, each in zip(models, loaded, strict=True)
    ]


def claim_folder(
    path: Path, settings: Mapping[str, Any], environment: Mapping[str, Any], *, overwrite: bool
) -> tuple[RunFolder, dict[str, Any]]:
    """Claim `path` for a benchmark; one that was killed there with equal settings is resumed.

    Returns:
        The folder, and `environment`, in which a resumed run keeps the time of its first start.

    Raises:
        UsageError: if something else is there, or the killed run had other settings.
    """
    earlier = read_card(path)
    in_the_way = earlier is not None and earlier.get("state") == "finished"
    in_the_way |= earlier is None and any((path / name).exists() for name in REPORTS)
    if in_the_way and not overwrite:
        raise UsageError(
            f"{path} holds the results of an earlier run; use --overwrite to replace them, or "
            "another --out."
        )
    resume = earlier is not None and not overwrite
    if earlier is not None and overwrite:
        _remove_results(path)
    around = dict(environment)
    if resume and earlier is not None:
        around["started"] = earlier.get("environment", {}).get("started", around["started"])
    folder = RunFolder.claim(path, settings, around, overwrite=overwrite, resume=resume)
    return folder, around


def run_benchmark(
    models: Sequence[BenchmarkedModel],
    parts: Sequence[Part],
    folder: Path,
    pace: Pace,
    *,
    mask_cut: int,
    advance: Callable[[int], None],
    observe: Callable[[CategoryResult], None],
) -> list[CategoryResult]:
    """Evaluate models on categories, and keep each finished one in a file.

    Args:
        models: what to evaluate.
        parts: on what.
        folder: the claimed output folder.
        pace: batch size and threads.
        mask_cut: a mask's pixel is anomalous above this value.
        advance: called with a number of images that are done.
        observe: called with each result when it is there, kept ones included; perhaps in a thread.

    Returns:
        A result for each model and part, dataset by dataset.

    Raises:
        ModelError: if a model yields values that are not finite numbers.
        UsageError: if the folder cannot be written.
    """
    files = {
        (m, p): _category_file(folder, f"{m:02d}", part)
        for m in range(len(models))
        for p, part in enumerate(parts)
    }
    results: dict[tuple[int, int], CategoryResult] = {}
    pool = ThreadPoolExecutor(1, "moeclip-metrics")
    runner = CategoryRunner(pace, mask_cut, pool)
    last: Future[None] | None = None
    try:
        for m, model in enumerate(models):
            for p, part in enumerate(parts):
                inspector = model.inspectors[part.dataset.domain]
                fingerprint = _fingerprint(model, part, mask_cut)
                kept = _kept(files[m, p], fingerprint)
                if kept is not None:
                    results[m, p] = kept
                    advance(len(part.samples))
                    observe(kept)
                    continue

                def done(
                    result: CategoryResult,
                    key: tuple[int, int] = (m, p),
                    fingerprint: str = fingerprint,
                ) -> None:
                    _keep(files[key], fingerprint, result)
                    results[key] = result
                    observe(result)

                following = runner.evaluate(inspector, model.name, part, lambda: advance(1), done)
                # At most one category's pixels wait for their metrics.
                if last is not None:
                    last.result()
                last = following
        if last is not None:
            last.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [results[m, p] for p in range(len(parts)) for m in range(len(models))]


def _category_file(folder: Path, model: str, part: Part) -> Path:
    name = str(Path(model, part.dataset.name, part.category))
    return output_path(folder / CATEGORIES, name, ".json")


def _fingerprint(model: BenchmarkedModel, part: Part, mask_cut: int) -> str:
    """Of everything that decides a category's result, so that no other one is taken for it."""
    dataset = part.dataset
    samples = [
        (
            dataset.relative(sample.image),
            sample.label,
            _state(sample.image),
            None if sample.mask is None else (dataset.relative(sample.mask), _state(sample.mask)),
        )
        for sample in part.samples
    ]
    content = [
        model.name,
        dict(model.identity),
        dataset.domain,
        part.prompt,
        part.protocols,
        mask_cut,
        samples,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change, by which a file that was replaced is noticed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _kept(file: Path, fingerprint: str) -> CategoryResult | None:
    try:
        content = json.loads(file.read_bytes())
        if content["fingerprint"] == fingerprint:
            return CategoryResult.from_dict(content["result"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _keep(file: Path, fingerprint: str, result: CategoryResult) -> None:
    content = {"fingerprint": fingerprint, "result": result.to_dict()}
    with replacing(file) as stream:
        stream.write(json.dumps(content, ensure_ascii=True).encode())


def _remove_results(path: Path) -> None:
    with write_errors(path):
        for name in REPORTS:
            (path / name).unlink(missing_ok=True)
        if (path / CATEGORIES).is_dir():
            rmtree(path / CATEGORIES)
