"""Tables of metrics in the page of a benchmark: shaded by value, the best of several marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moeclip_cli.evaluation.lines import ALL_DATASETS, Line, Shots
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.reports.pages.benchmark_report import has_shots, metric_cell, shots_cell
from moeclip_cli.reports.pages.html_parts import text

# Below every difference, so that undefined values are sorted to one end.
_UNDEFINED = -1000
# The same for every metric and page, so that pages can be compared: a cell has a darker shade for
# each bound that its value is below.
_SHADES = (95, 90, 80, 60, 30)
BEST = '<span class="best" role="img" aria-label="best:">&#9733;</span>&#160;'


def metrics_table(
    lines: Sequence[Line], anchor: str, places: Sequence[str], means: Sequence[Line] = ()
) -> Iterator[str]:
    """Yield a table in pieces; a click on a heading sorts it.

    Args:
        lines: the lines.
        anchor: id of the table.
        places: attributes of the lines for the first columns.
        means: lines that stay below the others when the table is sorted.
    """
    everything = [*lines, *means]
    with_shots = has_shots(everything)
    yield f'<div class="wide"><table class="results metrics" id="{anchor}">\n<thead><tr>'
    for place in places:
        yield f'<th scope="col"><button type="button">{place.capitalize()}</button></th>'
    for title in (*(["shots"] if with_shots else []), *METRICS.values()):
        yield f'<th scope="col" class="number"><button type="button">{title}</button></th>'
    yield "</tr></thead>\n<tbody>\n"
    best = best_cells(everything)
    for index, line in enumerate(everything):
        if means and index == len(lines):
            yield "</tbody>\n<tfoot>\n"
        cells = "".join(_place(getattr(line, place)) for place in places)
        cells += _shots(line) if with_shots else ""
        cells += "".join(_value(line, name, best=(index, name) in best) for name in METRICS)
        whole = " whole" if line.dataset == ALL_DATASETS else ""
        yield f'<tr class="{line.kind}{whole}">{cells}</tr>\n'
    yield f"</{'tfoot' if means else 'tbody'}>\n</table></div>\n"


def shading_key() -> str:
    """A paragraph that explains the shades."""
    shades = " ".join(
        f'<span class="shade-{number}">below {bound}</span>'
        for number, bound in enumerate(_SHADES, 1)
    )
    return f'<p class="quiet shades">Shades: {shades}</p>\n'


def best_key(lines: Sequence[Line]) -> str:
    """A paragraph that explains the mark of the best value; empty if no cell has it."""
    if not best_cells(lines):
        return ""
    return (
        '<p class="quiet">&#9733; marks the best of the compared models in a column, for the same '
        "images, protocol and number of references. Published results are not among them.</p>\n"
    )


def best_cells(lines: Sequence[Line]) -> set[tuple[int, str]]:
    """Index and metric of the highest values among several models.

    Models are compared on the same data, under the same protocol and with as many references. Equal
    values, as shown, are all the best; if those of all models are equal, none is.
    """
    groups: dict[tuple[str, str, str, Shots | None], list[int]] = {}
    for index, line in enumerate(lines):
        if line.kind in ("category", "mean"):
            key = (line.dataset, line.category, line.protocol, line.shots)
            groups.setdefault(key, []).append(index)
    return {
        (index, name)
        for group in groups.values()
        for name in METRICS
        for index in _highest({index: lines[index].values[name] for index in group})
    }


def _highest(values: dict[int, float | None]) -> list[int]:
    shown = {index: round(value, 1) for index, value in values.items() if value is not None}
    if len(set(shown.values())) < 2:
        return []
    best = max(shown.values())
    return [index for index, value in shown.items() if value == best]


def _place(name: str) -> str:
    return f'<td data-value="{text(name)}">{text(name)}</td>'


def _shots(line: Line) -> str:
    key = line.shots if isinstance(line.shots, int) else _UNDEFINED
    return f'<td class="number" data-value="{key}">{shots_cell(line)}</td>'


def _value(line: Line, name: str, *, best: bool) -> str:
    number = line.values[name]
    key = _UNDEFINED if number is None else round(number, 6)
    mark = BEST if best else ""
    return (
        f'<td class="number{shade(line, number)}" data-value="{key}">'
        f"{mark}{metric_cell(line, name)}</td>"
    )


def shade(line: Line, number: float | None) -> str:
    """A further class of a cell; own results are shaded, published ones and differences are not."""
    if number is None or line.kind not in ("category", "mean"):
        return ""
    darker = sum(round(number, 1) < bound for bound in _SHADES)
    return f" shade-{darker}" if darker else ""
