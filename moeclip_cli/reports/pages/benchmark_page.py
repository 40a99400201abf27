"""report.html of a benchmark: sortable tables, curves, scores and misranked images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from moeclip_cli.evaluation.lines import ALL_DATASETS, Line, summary_lines
from moeclip_cli.evaluation.results import METRICS, CategoryResult, Evaluation, Mistake
from moeclip_cli.reports.pages.benchmark_report import (
    BenchmarkReport,
    facts,
    has_shots,
    legend,
    metric_cell,
    shots_cell,
)
from moeclip_cli.reports.pages.charts import curves_svg, scores_svg
from moeclip_cli.reports.pages.html_parts import document_end, document_start, text

# Below every difference, so that undefined values are sorted to one end.
_UNDEFINED = -1000
_LEVELS = ("image", "pixel")


def benchmark_page(report: BenchmarkReport) -> Iterator[str]:
    """Yield the HTML document in pieces."""
    yield document_start("Benchmark", "report.css", "benchmark.css")
    yield '<ul class="remarks">\n' if report.remarks else ""
    yield from (f"<li>{text(remark)}</li>\n" for remark in report.remarks)
    yield "</ul>\n" if report.remarks else ""
    yield "<section>\n<h2>Summary</h2>\n"
    yield (
        '<p class="quiet">Values are in percent, differences in percentage points. Means are plain '
        "means over the categories or datasets for which a metric is defined; - means not defined. "
        "Click a heading to sort.</p>\n"
    )
    yield from (f'<p class="quiet">{text(each)}</p>\n' for each in legend(report.lines))
    whole = summary_lines(report.lines)
    whole.sort(key=lambda line: line.dataset != ALL_DATASETS)
    yield from _table(whole, "summary", ("dataset", "model", "protocol"))
    yield "</section>\n"
    for index, title in enumerate(dict.fromkeys(result.title for result in report.results)):
        yield from _dataset(report, title, f"dataset-{index}")
    yield from _card(report)
    yield document_end()


def _dataset(report: BenchmarkReport, title: str, anchor: str) -> Iterator[str]:
    results = [result for result in report.results if result.title == title]
    lines = [line for line in report.lines if line.dataset == title and line.kind == "category"]
    yield f'<section id="{anchor}">\n<h2>{text(title)}</h2>\n'
    yield from _table(lines, f"{anchor}-categories", ("category", "model", "protocol"))
    yield from (_category(result) for result in results)
    yield "</section>\n"


def _table(lines: Sequence[Line], anchor: str, places: Sequence[str]) -> Iterator[str]:
    """A table whose first columns are the attributes `places` of the lines."""
    with_shots = has_shots(lines)
    yield f'<div class="wide"><table class="results metrics" id="{anchor}">\n<thead><tr>'
    for place in places:
        yield f'<th scope="col"><button type="button">{place.capitalize()}</button></th>'
    for title in (*(["shots"] if with_shots else []), *METRICS.values()):
        yield f'<th scope="col" class="number"><button type="button">{title}</button></th>'
    yield "</tr></thead>\n<tbody>\n"
    for line in lines:
        named = [text(getattr(line, place)) for place in places]
        cells = "".join(f'<td data-value="{name}">{name}</td>' for name in named)
        cells += _shots(line) if with_shots else ""
        yield f'<tr class="{line.kind}">{cells}{"".join(_values(line))}</tr>\n'
    yield "</tbody>\n</table></div>\n"


def _shots(line: Line) -> str:
    key = line.shots if isinstance(line.shots, int) else _UNDEFINED
    return f'<td class="number" data-value="{key}">{shots_cell(line)}</td>'


def _values(line: Line) -> Iterator[str]:
    for name in METRICS:
        number = line.values[name]
        key = _UNDEFINED if number is None else round(number, 6)
        yield f'<td class="number" data-value="{key}">{metric_cell(line, name)}</td>'


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
    return (
        f'<div class="charts">{"".join(charts)}{histogram}</div>\n{_mistakes(evaluation.mistakes)}'
    )


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


def _mistakes(mistakes: Iterable[Mistake]) -> str:
    figures = []
    for mistake in mistakes:
        path = text(mistake.path)
        source = f"data:image/jpeg;base64,{mistake.overlay}"
        picture = (
            f'<img src="{source}" alt="Overlay of {path}" loading="lazy">'
            if mistake.overlay
            else '<span class="quiet">No picture</span>'
        )
        kind = mistake.kind.replace(" ", "-")
        figures.append(
            f'<figure>{picture}<figcaption><span class="{kind}">{mistake.kind}</span> '
            f"{mistake.score:.3f}<br><bdi>{path}</bdi></figcaption></figure>"
        )
    if not figures:
        return '<p class="quiet">No image is misranked.</p>\n'
    return (
        '<p class="quiet">The most misranked images. A false alarm is a normal image that scores '
        "at least as high as an anomalous one; a miss is an anomalous image that scores no higher "
        "than a normal one. Colours show the deployed anomaly map; defects of the ground truth are "
        "outlined in blue.</p>\n"
        f"<div class=mistakes>{''.join(figures)}</div>\n"
    )


def _card(report: BenchmarkReport) -> Iterator[str]:
    yield '<section>\n<h2>Run card</h2>\n<dl class="facts">'
    for label, value in facts(report.card):
        yield f"<dt>{label}</dt><dd><bdi>{text(value)}</bdi></dd>"
    yield "</dl>\n</section>\n"
