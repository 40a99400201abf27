"""The content of a benchmark report, independent of its file formats."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moeclip_cli.evaluation.lines import ALL_DATASETS, Line
from moeclip_cli.evaluation.results import CategoryResult

# From this number on, a sentence counts datasets instead of naming them.
_COUNTED = 4


@dataclass(frozen=True)
class BenchmarkReport:
    """A finished benchmark.

    Attributes:
        card: the run card: settings, models, datasets and environment.
        results: one for each model and category.
        lines: lines of the tables.
        remarks: caveats: unexpected image counts, skipped images, missing datasets.
        failed: number of images that could not be evaluated.
    """

    card: Mapping[str, Any]
    results: Sequence[CategoryResult]
    lines: Sequence[Line]
    remarks: Sequence[str]
    failed: int


def metric_cell(line: Line, name: str) -> str:
    """A metric of a line, signed for a difference, with its deviation over draws."""
    shown = number(line.values[name], signed=line.kind == "difference")
    deviation = line.deviations[name]
    return shown if deviation is None else f"{shown} ± {number(deviation)}"


def has_shots(lines: Sequence[Line]) -> bool:
    """Whether a column for the number of references is needed."""
    return any(line.shots is not None for line in lines)


def shots_cell(line: Line) -> str:
    """The number of references of a line, or what takes their place."""
    return "-" if line.shots is None else str(line.shots)


def legend(lines: Sequence[Line]) -> list[str]:
    """Sentences that the tables need: what a mean covers, and about comparisons their sources."""
    found = list(_coverage(lines))
    if not has_shots(lines):
        return found
    draws = max(len(line.draws) for line in lines)
    if any(line.shots == "test" for line in lines):
        found.append('"test": compared with the other test images of the category, without labels.')
    if draws > 1:
        found.append(f"Mean ± standard deviation over {draws} draws of the references.")
    sources = dict.fromkeys(line.source for line in lines if line.source)
    if sources:
        found.append(
            "Published results are the claims of their papers, by protocols that differ: "
            f"{'; '.join(sources)}."
        )
    return found


def _coverage(lines: Sequence[Line]) -> Iterator[str]:
    """A sentence on the means over all datasets, if some of them lack a dataset."""
    whole = {line.protocol for line in lines if _is_mean(line) and line.dataset == ALL_DATASETS}
    covered: dict[str, dict[str, None]] = {}
    for line in lines:
        if _is_mean(line) and line.dataset != ALL_DATASETS and line.protocol in whole:
            covered.setdefault(line.protocol, {})[line.dataset] = None
    every = {title for titles in covered.values() for title in titles}
    if any(len(titles) < len(every) for titles in covered.values()):
        parts = [f"{name} over {_listed(titles)}" for name, titles in covered.items()]
        yield (
            f"{ALL_DATASETS}: means are over different datasets: {', '.join(parts)}. Differences "
            "are over the datasets that both have."
        )


def _is_mean(line: Line) -> bool:
    return line.kind in ("mean", "published")


def _listed(titles: Collection[str]) -> str:
    return " and ".join(titles) if len(titles) < _COUNTED else f"{len(titles)} datasets"


def number(value: float | None, *, signed: bool = False) -> str:
    """A metric with one decimal, as in the paper; "-" if it is not defined."""
    if value is None:
        return "-"
    return f"{value:+.1f}" if signed else f"{value:.1f}"


def facts(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the run card as pairs of a label and a short text."""
    settings, environment = card["settings"], card["environment"]
    for model in card["models"]:
        network = model["configuration"]["network"]
        sizes = " and ".join(map(str, (model["image_size"], *model["scales"])))
        yield (
            "Model",
            f"{model['name']}, sha256 {model['digest']}, "
            f"backbone sha256 {model['backbone_digest']}",
        )
        yield (
            "Configuration",
            f"{sizes} pixels, {model['precision']}, "
            + ", ".join(f"{name} {value}" for name, value in network.items()),
        )
    for dataset in card["datasets"]:
        expected = dataset["expected"]
        published = f" ({expected[0]} and {expected[1]} in the paper)" if expected else ""
        yield (
            "Dataset",
            f"{dataset['title']}: {dataset['normal']} normal and {dataset['anomalous']} anomalous "
            f"images{published}",
        )
    yield "Protocol", settings["protocol"]
    yield "Mask threshold", f"pixels above {settings['mask_cut']} of 255 are anomalous"
    if settings["limit"] is not None:
        yield "Limit", f"{settings['limit']} images per category"
    if "shots" in settings:
        numbers = ", ".join(map(str, settings["shots"]))
        yield "Shots", f"{numbers} good training images, {settings['draws']} draws"
    if settings.get("mode") == "mutual":
        size = settings["subset_size"]
        yield "Comparison", f"mutual: test images with each other, in subsets of up to {size}"
    if "references" in settings:
        yield "References", f"sha256 {settings['references']}"
    if settings.get("reference_rotations", 1) > 1:
        yield "Reference rotations", str(settings["reference_rotations"])
    seed = settings["seed"]
    drawn = "subsets" if settings.get("mode") == "mutual" else "draws"
    yield "Seed", "none; nothing is random" if seed is None else f"{seed}, of the {drawn}"
    processes = environment["processes"]
    together = f", {processes} processes" if processes > 1 else ""
    yield "Device", f"{environment['device']}{together}"
    yield "Started", environment["started"]
    yield "Command", environment["command"]
    versions = ("moeclip", "torch", "open_clip", "numpy", "opencv", "pillow", "python", "platform")
    yield "Versions", ", ".join(f"{name} {environment[name]}" for name in versions)
