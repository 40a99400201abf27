"""A benchmark in an output folder: what is finished is kept, and a killed run goes on there."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeAlias

from moeclip_cli.checkpoints.configuration import Domain
from moeclip_cli.errors import UsageError
from moeclip_cli.evaluation.plan import Part
from moeclip_cli.evaluation.results import CategoryResult
from moeclip_cli.inspection.inspector import Inspector
from moeclip_cli.parallel.world import World
from moeclip_cli.reports.files import replacing, write_errors
from moeclip_cli.reports.names import output_path
from moeclip_cli.runs.benchmark_category import CategoryRunner
from moeclip_cli.runs.folder import RunFolder
from moeclip_cli.runs.run_card import read_card
from moeclip_cli.runs.stream import Pace

CATEGORIES = "categories"
REPORTS = ("results.json", "results.csv", "results.md", "report.html")

# Numbers of a model and of a part.
_Pair: TypeAlias = tuple[int, int]


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
            "backbone_digest": loaded.backbone_digest,
            "image_size": industrial.image_size,
            "scales": list(loaded.config.scales),
            "precision": industrial.precision,
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
    world: World | None = None,
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
        world: the processes that share the work, of which this is the first and the others call
            `assist_benchmark`; None for this one alone.

    Returns:
        A result for each model and part, dataset by dataset.

    Raises:
        ModelError: if a model yields values that are not finite numbers.
        UsageError: if the folder cannot be written.
        ProcessLostError: if another process has ended.
    """
    world = world or World()
    pairs = [(m, p) for p in range(len(parts)) for m in range(len(models))]
    files = {(m, p): _category_file(folder, f"{m:02d}", parts[p]) for m, p in pairs}
    prints = {(m, p): _fingerprint(models[m], parts[p], mask_cut) for m, p in pairs}
    results: dict[_Pair, CategoryResult] = {}
    for pair in pairs:
        kept = _kept(files[pair], prints[pair])
        if kept is not None:
            results[pair] = kept
            advance(len(parts[pair[1]].samples))
            observe(kept)

    def done(pair: _Pair, result: CategoryResult) -> None:
        _keep(files[pair], prints[pair], result)
        results[pair] = result
        observe(result)

    todo = world.from_first(sorted(set(pairs) - results.keys()))
    _evaluate(models, parts, todo, pace, mask_cut, world, advance, done)
    return [results[pair] for pair in pairs]


def assist_benchmark(
    models: Sequence[BenchmarkedModel],
    parts: Sequence[Part],
    pace: Pace,
    *,
    mask_cut: int,
    world: World,
) -> None:
    """Do this process's share of what the first one runs by `run_benchmark`.

    Args:
        models: see there; the same in all processes, like all of the following.
        parts: likewise.
        pace: likewise.
        mask_cut: likewise.
        world: the processes that share the work.

    Raises:
        ModelError: if a model yields values that are not finite numbers.
        ProcessLostError: if another process has ended.
    """
    todo: list[_Pair] = world.from_first(None)
    _evaluate(models, parts, todo, pace, mask_cut, world, lambda _: None, lambda *_: None)


def _evaluate(
    models: Sequence[BenchmarkedModel],
    parts: Sequence[Part],
    todo: Sequence[_Pair],
    pace: Pace,
    mask_cut: int,
    world: World,
    advance: Callable[[int], None],
    done: Callable[[_Pair, CategoryResult], None],
) -> None:
    """Evaluate models on categories; `done` gets the results, in the first process only."""
    pool = ThreadPoolExecutor(1, "moeclip-metrics")
    runner = CategoryRunner(pace, mask_cut, pool, world)
    counted = 0

    def count(number: int) -> None:
        nonlocal counted
        before, counted = counted, world.count(number)
        advance(counted - before)

    last: Future[None] | None = None
    try:
        for m, p in todo:
            model, part = models[m], parts[p]
            following = runner.evaluate(
                model.inspectors[part.dataset.domain],
                model.name,
                part,
                lambda: count(1),
                partial(done, (m, p)),
            )
            # At most one category's pixels wait for their metrics.
            if last is not None:
                last.result()
            last = following
        if last is not None:
            last.result()
        count(0)  # what others have done since
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
