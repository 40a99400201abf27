"""The lines of a benchmark's tables: categories, means, published results and differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import stdev
from typing import Literal

from moeclip_cli.evaluation.category_metrics import mean_of_defined
from moeclip_cli.evaluation.published import (
    ANOMALY_DINO,
    ANOMALY_DINO_BATCHED,
    MOECLIP,
    Claim,
    published_claims,
    published_results,
)
from moeclip_cli.evaluation.results import METRICS, PROTOCOLS, CategoryResult, Shots, Values

Kind = Literal["category", "mean", "published", "difference"]

ALL_DATASETS = "All datasets"
# Numbers of references of the published results that have none.
_COMPARED: dict[str, Literal["all", "test"]] = {"full-shot": "all", "mutual": "test"}


@dataclass(frozen=True)
class Line:
    """A line of a table.

    Attributes:
        kind: meaning of the values.
        dataset: title of the dataset, or `ALL_DATASETS`.
        category: the category; "mean" for the plain mean over categories or datasets.
        model: name of the model, or of the published method.
        protocol: "paper", "deployed" or "published"; for a difference, minuend and subtrahend.
        values: metric -> percent, or percentage points for a difference; None if not defined.
        normal, anomalous: numbers of images; None for published results and differences.
        shots: number of references in a few-shot evaluation, or "test" for a comparison with the
            other test images; for published results also "all" good images.
        draws: metrics of each draw of references, of which `values` are the means.
        source: paper that states the result, if it is not MoECLIP's.
    """

    kind: Kind
    dataset: str
    category: str
    model: str
    protocol: str
    values: Values
    normal: int | None = None
    anomalous: int | None = None
    shots: Shots | None = None
    draws: tuple[Values, ...] = ()
    source: str = ""

    @property
    def deviations(self) -> Values:
        """Sample standard deviation of each metric over the draws; None for less than two."""
        return {name: _deviation([draw[name] for draw in self.draws]) for name in METRICS}


def benchmark_lines(
    results: Sequence[CategoryResult], *, compare: bool, zero_shot: bool = True
) -> list[Line]:
    """The lines of every dataset in turn, followed by the lines over all datasets.

    Args:
        results: one for each model, category and number of references.
        compare: whether to include the other published methods.
        zero_shot: whether results without a number of references are zero-shot results, which are
            shown beside the published ones.
    """
    titles = list(dict.fromkeys(result.title for result in results))
    lines = []
    for title in titles:
        lines += _dataset_lines([result for result in results if result.title == title])
        lines += _claimed_lines(lines, title, compare)
        lines += _published_lines(lines, [title], title, compare) if zero_shot else []
        lines += _protocol_differences(lines, [title], title)
    if len(titles) > 1:
        means = [line for line in lines if line.kind == "mean"]
        lines += list(_mean_lines(means, ALL_DATASETS))
        lines += _published_lines(lines, titles, ALL_DATASETS, compare) if zero_shot else []
        lines += _protocol_differences(lines, titles, ALL_DATASETS)
    return lines


def summary_lines(lines: Iterable[Line]) -> list[Line]:
    """The lines of whole datasets and of all datasets together."""
    return [line for line in lines if line.kind != "category"]


def _dataset_lines(results: Sequence[CategoryResult]) -> list[Line]:
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
                result.shots,
                evaluation.draws,
            )
            by_category.setdefault(result.category, []).append(line)
    lines = [line for category in by_category.values() for line in category]
    return lines + list(_mean_lines(lines, results[0].title))


def _mean_lines(lines: Sequence[Line], title: str) -> Iterator[Line]:
    """The mean of the defined values of `lines`, for each model, number of shots and protocol.

    With draws, it is formed for each of them, so that their deviation is that of the mean.
    """
    groups: dict[tuple[str, Shots | None, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.model, line.shots, line.protocol), []).append(line)
    models = list(dict.fromkeys(line.model for line in lines))
    for model, shots, protocol in sorted(groups, key=partial(_place, models)):
        group = groups[model, shots, protocol]
        values = _mean_values([line.values for line in group])
        draws = tuple(map(_mean_values, zip(*(line.draws for line in group), strict=True)))
        normal = sum(line.normal or 0 for line in group)
        anomalous = sum(line.anomalous or 0 for line in group)
        yield Line("mean", title, "mean", model, protocol, values, normal, anomalous, shots, draws)


def _place(models: Sequence[str], group: tuple[str, Shots | None, str]) -> tuple[int, int, int]:
    model, shots, protocol = group
    number = shots if isinstance(shots, int) else 0
    return models.index(model), number, PROTOCOLS.index(protocol)


def _mean_values(values: Sequence[Values]) -> Values:
    return {name: mean_of_defined(each[name] for each in values) for name in METRICS}


def _claimed_lines(lines: Sequence[Line], title: str, compare: bool) -> Iterator[Line]:
    """Published results on a dataset, at the evaluated numbers of references.

    With `compare`, also those of the other methods. Beside few-shot results, it adds what methods
    reach that compare with all good images or with the other test images.
    """
    evaluated = {line.shots for line in lines if line.dataset == title and line.shots}
    for claim in published_claims():
        shots = claim.shots or _COMPARED[claim.setting]
        if claim.dataset == title and _is_shown(claim, shots, evaluated, compare):
            values = dict.fromkeys(METRICS) | {"image_auroc": claim.image_auroc}
            yield Line(
                "published",
                title,
                "mean",
                claim.method,
                "published",
                values,
                shots=shots,
                source=claim.source,
            )


def _is_shown(claim: Claim, shots: Shots, evaluated: set[Shots], compare: bool) -> bool:
    if shots in evaluated:
        return compare or claim.method in (ANOMALY_DINO, ANOMALY_DINO_BATCHED)
    return compare and not claim.shots and any(isinstance(each, int) for each in evaluated)


def _published_lines(
    lines: Sequence[Line], titles: Sequence[str], title: str, compare: bool
) -> list[Line]:
    """Published results of the evaluated datasets, and our differences from MoECLIP's.

    Ours are the results under the paper's protocol, or under the deployed one if there are no
    others. Only datasets that are both published and evaluated count.
    """
    table = published_results()
    known = table[MOECLIP].keys() & set(titles)
    means = [
        line
        for line in lines
        if line.kind == "mean" and line.dataset in known and line.shots is None
    ]
    protocol = "paper" if any(line.protocol == "paper" for line in means) else "deployed"
    means = [line for line in means if line.protocol == protocol]
    evaluated = {line.dataset for line in means}
    published = []
    for method in table if compare else (MOECLIP,):
        shared = [values for name, values in table[method].items() if name in evaluated]
        if shared:
            values = {name: mean_of_defined(each.get(name) for each in shared) for name in METRICS}
            published.append(Line("published", title, "mean", method, "published", values))
    for model in dict.fromkeys(line.model for line in means):
        pairs = [
            (line.values, table[MOECLIP][line.dataset]) for line in means if line.model == model
        ]
        operands = f"{protocol} - {MOECLIP} published"
        published.append(_mean_difference(title, model, operands, pairs))
    return published


def _protocol_differences(lines: Sequence[Line], titles: Sequence[str], title: str) -> list[Line]:
    """Deployed minus paper results, over the datasets that have both."""
    differences = []
    means = [line for line in lines if line.kind == "mean" and line.dataset in titles]
    means = [line for line in means if line.shots in (None, "test")]
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
        differences.append(_mean_difference(title, model, "deployed - paper", pairs))
    return differences


def _mean_difference(
    title: str, model: str, operands: str, pairs: Sequence[tuple[Values, Values]]
) -> Line:
    """The mean over pairs of the first value minus the second, where both are defined."""
    values = {
        name: mean_of_defined(_difference(one[name], other.get(name)) for one, other in pairs)
        for name in METRICS
    }
    return Line("difference", title, "mean", model, operands, values)


def _deviation(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return stdev(defined) if len(defined) > 1 else None


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
