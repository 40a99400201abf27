"""The overview of a benchmark's page: best and worst categories, and models side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moeclip_cli.evaluation.lines import ALL_DATASETS, Line
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.reports.pages.benchmark_report import metric_cell
from moeclip_cli.reports.pages.html_parts import text
from moeclip_cli.reports.pages.metrics_table import BEST, best_cells, shade

# One metric of the ranking of images and one of the map, as the mistakes and localised pictures.
_METRICS = ("image_auroc", "pixel_ap")


def best_and_worst(lines: Sequence[Line]) -> Iterator[str]:
    """Yield a table of the best and the worst category of each model; empty for one category.

    Args:
        lines: of all tables; one protocol of them is shown.
    """
    groups: dict[str, list[Line]] = {}
    for line in _of_one_protocol(lines):
        if line.kind == "category":
            groups.setdefault(_name(line), []).append(line)
    if all(len(group) < 2 for group in groups.values()):
        return
    yield '<h3>Best and worst categories</h3>\n<div class="wide"><table class="metrics">\n<thead>'
    yield '<tr><th scope="col">Model</th>'
    for name in _METRICS:
        for which in ("Best", "Worst"):
            yield f'<th scope="col">{which} by {METRICS[name]}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for model, group in groups.items():
        cells = "".join(_extremes(group, name) for name in _METRICS)
        yield f'<tr><th scope="row">{text(model)}</th>{cells}</tr>\n'
    yield "</tbody>\n</table></div>\n"


def side_by_side(lines: Sequence[Line]) -> Iterator[str]:
    """Yield a table with a row for each category and a column for each model; empty for one model.

    Args:
        lines: of one dataset, or of all; one protocol of them is shown.
    """
    shown = [line for line in _of_one_protocol(lines) if line.kind in ("category", "mean")]
    models = list(dict.fromkeys(map(_name, shown)))
    if len(models) < 2:
        return
    cells = {(_row(line), _name(line)): index for index, line in enumerate(shown)}
    best = best_cells(shown)
    heads = "".join(f'<th scope="col" class="number">{text(model)}</th>' for model in models)
    yield '<div class="wide"><table class="metrics beside">\n<thead>\n<tr><td></td>'
    for name in _METRICS:
        yield f'<th scope="colgroup" colspan="{len(models)}">{METRICS[name]}</th>'
    yield f"</tr>\n<tr><td></td>{heads * len(_METRICS)}</tr></thead>\n<tbody>\n"
    for row in dict.fromkeys(map(_row, shown)):
        mean = ' class="mean"' if row[0] == "mean" else ""
        yield f'<tr{mean}><th scope="row">{text(row[1])}</th>'
        for name in _METRICS:
            for model in models:
                index = cells.get((row, model))
                yield (
                    "<td></td>"
                    if index is None
                    else _cell(shown[index], name, best=(index, name) in best)
                )
        yield "</tr>\n"
    yield "</tbody>\n</table></div>\n"


def protocol_of(lines: Sequence[Line]) -> str:
    """The protocol of these tables: that of a user's scores, if it was evaluated."""
    protocols = {line.protocol for line in lines if line.kind == "category"}
    return "deployed" if "deployed" in protocols else "paper"


def _of_one_protocol(lines: Sequence[Line]) -> list[Line]:
    protocol = protocol_of(lines)
    return [line for line in lines if line.protocol == protocol]


def _name(line: Line) -> str:
    return line.model if line.shots is None else f"{line.model}, {line.shots}-shot"


def _row(line: Line) -> tuple[str, str]:
    """Kind and heading of the row of a line."""
    if line.dataset == ALL_DATASETS:
        return line.kind, line.dataset
    return line.kind, line.category if line.kind == "category" else "Mean"


def _extremes(group: Sequence[Line], name: str) -> str:
    """The cells of the best and the worst category by a metric."""
    defined = [(value, line) for line in group if (value := line.values[name]) is not None]
    if not defined:
        return 2 * "<td>-</td>"
    ordered = [line for _, line in sorted(defined, key=lambda pair: pair[0])]
    several = len({line.dataset for line in group}) > 1
    return "".join(
        f'<td class="extreme{shade(line, line.values[name])}">{metric_cell(line, name)} '
        f"{text(f'{line.dataset}, {line.category}' if several else line.category)}</td>"
        for line in (ordered[-1], ordered[0])
    )


def _cell(line: Line, name: str, *, best: bool) -> str:
    mark = BEST if best else ""
    return (
        f'<td class="number{shade(line, line.values[name])}">{mark}{metric_cell(line, name)}</td>'
    )
