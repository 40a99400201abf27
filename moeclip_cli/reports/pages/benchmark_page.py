"""report.html of a benchmark: pictures, an overview, sortable tables, curves and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moeclip_cli.evaluation.lines import ALL_DATASETS, Line, summary_lines
from moeclip_cli.evaluation.results import CategoryResult, Evaluation
from moeclip_cli.reports.pages.benchmark_overview import (
    best_and_worst,
    protocol_of,
    side_by_side,
)
from moeclip_cli.reports.pages.benchmark_report import BenchmarkReport, facts, legend
from moeclip_cli.reports.pages.charts import curves_svg, scores_svg
from moeclip_cli.reports.pages.html_parts import Document, text
from moeclip_cli.reports.pages.metrics_table import best_key, metrics_table, shading_key
from moeclip_cli.reports.pages.worst_pictures import category_pictures, worst_pictures

_LEVELS = ("image", "pixel")


def benchmark_page(report: BenchmarkReport) -> Iterator[str]:
    """Yield the HTML document in pieces."""
    document = Document("Benchmark", ("report.css", "benchmark.css"))
    yield document.start()
    yield '<ul class="remarks">\n' if report.remarks else ""
    yield from (f"<li>{text(remark)}</li>\n" for remark in report.remarks)
    yield "</ul>\n" if report.remarks else ""
    yield from worst_pictures(report.results)
    yield "<section>\n<h2>Summary</h2>\n"
    yield (
        '<p class="quiet">Values are in percent, differences in percentage points. Means are plain '
        "means over the categories or datasets for which a metric is defined; - means not defined. "
        "Click a heading to sort.</p>\n"
    )
    yield from (f'<p class="quiet">{text(each)}</p>\n' for each in legend(report.lines))
    yield best_key(report.lines)
    yield shading_key()
    yield from _overview(report.lines)
    whole = summary_lines(report.lines)
    whole.sort(key=lambda line: line.dataset != ALL_DATASETS)
    yield from metrics_table(whole, "summary", ("dataset", "model", "protocol"))
    yield "</section>\n"
    for index, title in enumerate(dict.fromkeys(result.title for result in report.results)):
        yield from _dataset(report, title, f"dataset-{index}")
    yield from _card(report)
    yield document.end()


def _overview(lines: Sequence[Line]) -> Iterator[str]:
    extremes = "".join(best_and_worst(lines))
    datasets = dict.fromkeys(line.dataset for line in lines)
    beside = [
        f"<h4>{text(title)}</h4>\n{table}"
        for title in sorted(datasets, key=lambda title: title != ALL_DATASETS)
        if (table := "".join(side_by_side([line for line in lines if line.dataset == title])))
    ]
    if extremes or beside:
        yield f'<p class="quiet">Protocol of the overview: {protocol_of(lines)}.</p>\n{extremes}'
    if beside:
        yield f"<h3>Models side by side</h3>\n{''.join(beside)}"
    if extremes or beside:
        yield "<h3>All metrics</h3>\n"


def _dataset(report: BenchmarkReport, title: str, anchor: str) -> Iterator[str]:
    results = [result for result in report.results if result.title == title]
    of_dataset = [line for line in report.lines if line.dataset == title]
    lines = [line for line in of_dataset if line.kind == "category"]
    means = [line for line in of_dataset if line.kind == "mean"]
    yield f'<section id="{anchor}">\n<h2>{text(title)}</h2>\n'
    places = ("category", "model", "protocol")
    yield from metrics_table(lines, f"{anchor}-categories", places, means)
    yield from (_category(result) for result in results)
    yield "</section>\n"


def _category(result: CategoryResult) -> str:
    blocks = "".join(
        f"<h4>{text(result.model)}, {protocol}</h4>\n{_evaluation(evaluation)}"
        for protocol, evaluation in result.evaluations.items()
    )
    notes = "".join(f"<li>{text(note)}</li>" for note in (*result.notes, *result.errors))
    notes = f'<ul class="quiet">{notes}</ul>\n' if notes else ""
    references = f"{result.shots}-shot, " if isinstance(result.shots, int) else ""
    return (
        f'<details class="card category"><summary>{text(result.category)} '
        f'<span class="quiet">{references}{text(result.model)}: {result.normal} normal, '
        f"{result.anomalous} anomalous, {result.masks} masks; prompt "
        f"&ldquo;{text(result.prompt)}&rdquo;</span></summary>\n{notes}{blocks}</details>\n"
    )


def _evaluation(evaluation: Evaluation) -> str:
    charts = [
        _chart(evaluation, "ROC", "ROC", "false-positive rate", "recall"),
        _chart(evaluation, "PR", "Precision and recall", "recall", "precision"),
    ]
    histogram = (
        "<figure><figcaption>Image scores: <span class=anomalous-ink>anomalous up</span>, normal "
        f"down</figcaption>{scores_svg(*evaluation.histogram)}</figure>"
    )
    drawings = f'<div class="charts">{"".join(charts)}{histogram}</div>\n'
    return drawings + category_pictures(evaluation)


def _chart(evaluation: Evaluation, kind: str, title: str, x_label: str, y_label: str) -> str:
    curves = {
        level: evaluation.curves[f"{level} {kind}"]
        for level in _LEVELS
        if f"{level} {kind}" in evaluation.curves
    }
    if not curves:
        return ""
    key = ", ".join(f'<span class="{level}-ink">{level}s</span>' for level in curves)
    drawing = curves_svg(curves, x_label, y_label)
    return f"<figure><figcaption>{title}: {key}</figcaption>{drawing}</figure>"


def _card(report: BenchmarkReport) -> Iterator[str]:
    yield '<section>\n<h2>Run card</h2>\n<dl class="facts">'
    for label, value in facts(report.card):
        yield f"<dt>{label}</dt><dd><bdi>{text(value)}</bdi></dd>"
    yield "</dl>\n</section>\n"
