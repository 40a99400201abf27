"""`moeclip compare`: two finished runs, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias

from moeclip_cli.checkpoints.formats import file_digest
from moeclip_cli.discovery.remote import state_of
from moeclip_cli.errors import ModelError, UsageError
from moeclip_cli.inspection.changes import Changes, FolderCounts, Outcome, Pair
from moeclip_cli.inspection.result import Row
from moeclip_cli.runs.finished_run import FinishedRun
from moeclip_cli.runs.input_log import InputRecord

Join = Literal["path", "name", "digest"]
"""What makes two rows those of one image: the path, the path below the folder that was scored, or
the content of the file."""

# Settings from which scores and verdicts follow.
_TOLD = (
    "model", "model_digest", "threshold", "unsure_threshold", "prompt", "prompt_rules",
    "image_size", "domain", "precision", "references", "mode", "tile", "overlap", "region",
)  # fmt: skip


def compare(a: FinishedRun, b: FinishedRun, join: Join = "path", tolerance: float = 0.0) -> Changes:
    """Compare two runs.

    An image that a run lists twice is compared with its first and second row of the other run.

    Args:
        a: one run.
        b: the other.
        join: what makes two rows those of one image.
        tolerance: a score that moves by no more than this has not moved.

    Raises:
        UsageError: if a table cannot be read, or a file whose digest is wanted is missing or has
            changed since it was scored.
    """
    if not tolerance >= 0:
        raise UsageError(f"`tolerance` must be 0 or more, not {tolerance:g}.")
    found = Changes(settings=_differing_settings(a, b))
    earlier = dict(_keyed(a, join))
    for key, outcome in _keyed(b, join):
        before = earlier.pop(key, None)
        counts = (found.total, _folder(found, outcome if before is None else before))
        if before is None:
            found.only_b.append(outcome)
            _add(counts, only_b=1)
            continue
        pair = Pair(before, outcome)
        far = abs(pair.moved) > tolerance
        if pair.flipped:
            found.flips.append(pair)
        elif far:
            found.moves.append(pair)
        _add(counts, both=1, flipped=pair.flipped, moved=far)
        for each in counts:
            each.furthest = max(each.furthest, abs(pair.moved))
    for outcome in earlier.values():
        found.only_a.append(outcome)
        _add((found.total, _folder(found, outcome)), only_a=1)
    for pairs in (found.flips, found.moves):
        pairs.sort(key=lambda pair: -abs(pair.moved))
    found.folders = dict(sorted(found.folders.items()))
    return found


_Key: TypeAlias = "tuple[str, int]"


def _keyed(run: FinishedRun, join: Join) -> Iterator[tuple[_Key, Outcome]]:
    """The outcomes of a run by what identifies an image, and how often it was listed before."""
    if join == "path":
        named: Iterable[tuple[str, Row]] = ((row.path, row) for row in run.rows())
    else:
        identify: Callable[[FinishedRun, InputRecord], str] = _name if join == "name" else _digest
        named = ((identify(run, record), row) for row, record in run.records())
    seen: Counter[str] = Counter()
    for key, row in named:
        yield (key, seen[key]), Outcome.of(row)
        seen[key] += 1


def _name(run: FinishedRun, record: InputRecord) -> str:
    return record.name


def _digest(run: FinishedRun, record: InputRecord) -> str:
    path = run.image(record)
    if record.holds and state_of(path) != (record.size, record.modified_ns):
        raise UsageError(
            f"{path} is missing or has changed since {run.folder} was made, so that it cannot be "
            "compared by its digest; set `by` to path or name."
        )
    if not isinstance(path, Path):
        raise UsageError(f"{path} is at a URL and has no digest; set `by` to path or name.")
    try:
        return file_digest(path)
    except ModelError as error:
        raise UsageError(f"{error} Set `by` to path or name.") from error


def _folder(found: Changes, outcome: Outcome) -> FolderCounts:
    folder = str(PurePath(outcome.path).parent)
    return found.folders.setdefault(folder, FolderCounts())


def _add(counts: Iterable[FolderCounts], **more: int) -> None:
    for each in counts:
        for name, number in more.items():
            setattr(each, name, getattr(each, name) + number)


def _differing_settings(a: FinishedRun, b: FinishedRun) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (a.settings.get(name), b.settings.get(name)) for name in _TOLD}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
