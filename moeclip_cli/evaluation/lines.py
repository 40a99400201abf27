"""The lines of a benchmark's tables: categories, their means, published numbers, differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from moeclip_cli.evaluation.protocol import mean_of_defined
from moeclip_cli.evaluation.published import MOECLIP, published_results
from moeclip_cli.evaluation.results import METRICS, PROTOCOLS, CategoryResult, Values

Kind = Literal["category", "mean", "published", "difference"]

ALL_DATASETS = "All datasets"


@dataclass(frozen=True)
class Line:
    """A line of a table.

    Attributes:
        kind: what its values are.
        dataset: title of the dataset, or `ALL_DATASETS`.
        category: the category; "mean" for the plain mean over categories or datasets.
        model: the model, or the published method.
        protocol: "paper" or "deployed"; of a difference, what was subtracted from what.
        values: metric -> percent; None where it is not defined. Of a difference, in points.
        normal, anomalous: numbers of images, where they say something.
    """

    kind: Kind
    dataset: str
    category: str
    model: str
    protocol: str
    values: Values
    normal: int | None = None
    anomalous: int | None = None


def benchmark_lines(results: Sequence[CategoryResult], *, compare: bool) -> list[Line]:
    """All lines about all datasets, dataset by dataset, and over all of them at the end.

    Args:
        results: one for each model and category.
        compare: whether to give the other published methods too.
    """
    titles = list(dict.fromkeys(result.title for result in results))
    lines = []
    for title in titles:
        lines += _dataset([result for result in results if result.title == title])
        lines += _beside_published(lines, [title], title, compare)
        lines += _between_protocols(lines, [title], title)
    if len(titles) > 1:
        means = [line for line in lines if line.kind == "mean"]
        lines += list(_means(means, ALL_DATASETS))
        lines += _beside_published(lines, titles, ALL_DATASETS, compare)
        lines += _between_protocols(lines, titles, ALL_DATASETS)
    return lines


def summary_lines(lines: Iterable[Line]) -> list[Line]:
    """The lines about whole datasets, and over all of them."""
    return [line for line in lines if line.kind != "category"]


def _dataset(results: Sequence[CategoryResult]) -> list[Line]:
    by_category: dict[str, list[Line]] = {}
    for result in results:
        for protocol, evaluation in result.evaluations.items():
            line = Line(
                "category",
                result.title,
                result.category,
                result.model,
                protocol,
                evaluation.metrics,
                result.normal,
                result.anomalous,
            )
            by_category.setdefault(result.category, []).append(line)
    lines = [line for category in by_category.values() for line in category]
    return lines + list(_means(lines, results[0].title))


def _means(lines: Sequence[Line], title: str) -> Iterator[Line]:
    """The plain mean of lines, one for each model and protocol, of what is defined."""
    for model in dict.fromkeys(line.model for line in lines):
        for protocol in PROTOCOLS:
            alike = [line for line in lines if (line.model, line.protocol) == (model, protocol)]
            if alike:
                values = {name: mean_of_defined(a.values[name] for a in alike) for name in METRICS}
                normal = sum(line.normal or 0 for line in alike)
                anomalous = sum(line.anomalous or 0 for line in alike)
                yield Line("mean", title, "mean", model, protocol, values, normal, anomalous)


def _beside_published(
    lines: Sequence[Line], titles: Sequence[str], title: str, compare: bool
) -> list[Line]:
    """Published lines of datasets that were evaluated, and how far MoECLIP's are from ours.

    Ours are those by the paper's protocol, or by the deployed one where it is the only one. Over
    several datasets, only those count that are published and were evaluated.
    """
    table = published_results()
    known = table[MOECLIP].keys() & set(titles)
    means = [line for line in lines if line.kind == "mean" and line.dataset in known]
    protocol = "paper" if any(line.protocol == "paper" for line in means) else "deployed"
    means = [line for line in means if line.protocol == protocol]
    evaluated = {line.dataset for line in means}
    found = []
    for method in table if compare else (MOECLIP,):
        shared = [values for name, values in table[method].items() if name in evaluated]
        if shared:
            values = {name: mean_of_defined(each.get(name) for each in shared) for name in METRICS}
            found.append(Line("published", title, "mean", method, "published", values))
    for model in dict.fromkeys(line.model for line in means):
        pairs = [
            (line.values, table[MOECLIP][line.dataset]) for line in means if line.model == model
        ]
        what = f"{protocol} - {MOECLIP} published"
        found.append(_mean_difference(title, model, what, pairs))
    return found


def _between_protocols(lines: Sequence[Line], titles: Sequence[str], title: str) -> list[Line]:
    """What a user loses against the paper's evaluation, over datasets with both protocols."""
    found = []
    means = [line for line in lines if line.kind == "mean" and line.dataset in titles]
    paper = {(line.model, line.dataset): line for line in means if line.protocol == "paper"}
    deployed = [
        line
        for line in means
        if line.protocol == "deployed" and (line.model, line.dataset) in paper
    ]
    for model in dict.fromkeys(line.model for line in deployed):
        pairs = [
            (line.values, paper[model, line.dataset].values)
            for line in deployed
            if line.model == model
        ]
        found.append(_mean_difference(title, model, "deployed - paper", pairs))
    return found


def _mean_difference(
    title: str, model: str, what: str, pairs: Sequence[tuple[Values, Values]]
) -> Line:
    """The mean of the first minus the second of pairs, where both are defined."""
    values = {
        name: mean_of_defined(_minus(one[name], other.get(name)) for one, other in pairs)
        for name in METRICS
    }
    return Line("difference", title, "mean", model, what, values)


def _minus(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
