"""The report files of a benchmark: results.json, results.csv, results.md and report.html."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from moeclip_cli.evaluation.lines import Line, summary_lines
from moeclip_cli.evaluation.results import METRICS, CategoryResult, Values
from moeclip_cli.files import replacing
from moeclip_cli.reports.pages.benchmark_page import benchmark_page
from moeclip_cli.reports.pages.benchmark_report import (
    BenchmarkReport,
    facts,
    has_shots,
    legend,
    metric_cell,
    shots_cell,
)
from moeclip_cli.reports.tables.cells import readable
from moeclip_cli.reports.tables.spreadsheet import escape_formula

_CARD_COLUMNS = ("digest", "backbone_digest", "image_size", "scales", "precision")
_ENVIRONMENT_COLUMNS = ("device", "started", "moeclip", "torch", "command")
_DECIMALS = 6


def write_reports(folder: Path, report: BenchmarkReport) -> None:
    """Write results.json, results.csv, results.md and report.html, each atomically.

    Raises:
        UsageError: if the folder cannot be written.
    """
    contents: dict[str, Iterable[str]] = {
        "results.json": [_json(report)],
        "results.csv": [_csv(report)],
        "results.md": [_markdown(report)],
        "report.html": benchmark_page(report),
    }
    for name, pieces in contents.items():
        with replacing(folder / name) as stream:
            for piece in pieces:
                stream.write(piece.encode("utf-8", "backslashreplace"))


def _json(report: BenchmarkReport) -> str:
    content = {
        "unit": "percent; null where a metric is not defined",
        "card": report.card,
        "remarks": list(report.remarks),
        "lines": [_line(line) for line in report.lines],
        "categories": [_without_pictures(result) for result in report.results],
    }
    return json.dumps(content, indent=1) + "\n"


def _line(line: Line) -> dict[str, Any]:
    """The fields of a line; those of few-shot evaluations only if it is of one."""
    content = vars(line) | {"values": _rounded(line.values)}
    if line.shots is None:
        del content["shots"], content["draws"], content["source"]
    else:
        content["draws"] = [_rounded(draw) for draw in line.draws]
        content["deviations"] = _rounded(line.deviations)
    return content


def _without_pictures(result: CategoryResult) -> dict[str, Any]:
    content = result.to_dict()
    for evaluation in content["evaluations"].values():
        for shown in (*evaluation["mistakes"], *evaluation["localised"], *evaluation["ranked"]):
            del shown["overlay"]
    return content


def _rounded(values: Values) -> dict[str, float | None]:
    return {
        name: None if number is None else round(number, _DECIMALS)
        for name, number in values.items()
    }


def _csv(report: BenchmarkReport) -> str:
    """One row for each line of the tables, with the run card in the last columns.

    Few-shot results have columns for shots, draws, source and deviations (`..._sd`) in addition.
    """
    models = {model["name"]: model for model in report.card["models"]}
    environment = report.card["environment"]
    places = ("kind", "dataset", "category", "model", "protocol", "normal", "anomalous")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    with_shots = has_shots(report.lines)
    more = ("shots", "draws", "source", *(f"{name}_sd" for name in METRICS)) if with_shots else ()
    writer.writerow((*places, *METRICS, *more, "notes", *_CARD_COLUMNS, *_ENVIRONMENT_COLUMNS))
    notes = _notes(report.results)
    for line in report.lines:
        model = models.get(line.model, {})
        cells: list[Any] = [
            *(getattr(line, place) for place in places),
            *_rounded(line.values).values(),
            *(_few_shot_cells(line) if with_shots else ()),
            notes.get((line.dataset, line.category, line.model), ""),
            *(model.get(name) for name in _CARD_COLUMNS),
            *(environment[name] for name in _ENVIRONMENT_COLUMNS),
        ]
        writer.writerow([escape_formula(cell) for cell in cells])
    return stream.getvalue()


def _few_shot_cells(line: Line) -> list[Any]:
    return [line.shots, len(line.draws) or None, line.source, *_rounded(line.deviations).values()]


def _notes(results: Sequence[CategoryResult]) -> dict[tuple[str, str, str], str]:
    return {
        (result.title, result.category, result.model): "; ".join((*result.notes, *result.errors))
        for result in results
    }


def _markdown(report: BenchmarkReport) -> str:
    pieces = ["# Benchmark\n"]
    pieces += [f"> {_escaped(remark)}\n" for remark in report.remarks]
    pieces.append(_table(summary_lines(report.lines)))
    pieces += [f"{_escaped(sentence)}\n" for sentence in legend(report.lines)]
    titles = dict.fromkeys(result.title for result in report.results)
    for title in titles:
        lines = [line for line in report.lines if line.dataset == title and line.kind == "category"]
        pieces.append(f"## {_escaped(title)}\n\n{_table(lines)}")
    pieces.append("## Run card\n\n" + "".join(
        f"- {label}: {_escaped(value)}\n" for label, value in facts(report.card)
    ))  # fmt: skip
    return "\n".join(pieces)


def _table(lines: Sequence[Line]) -> str:
    with_shots = has_shots(lines)
    headings = ["shots", *METRICS.values()] if with_shots else list(METRICS.values())
    rows = [
        ["dataset", "category", "model", "protocol", *headings],
        ["---"] * 4 + ["---:"] * len(headings),
    ]
    for line in lines:
        places = [line.dataset, line.category, line.model, line.protocol]
        values = [metric_cell(line, name) for name in METRICS]
        rows.append([*map(_escaped, places), *([shots_cell(line)] if with_shots else []), *values])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _escaped(cell: str) -> str:
    """`cell` as literal Markdown text in one line."""
    line = "".join(c if c.isprintable() else "?" for c in readable(cell))
    for mark in "\\`*_[]<>|":
        line = line.replace(mark, f"\\{mark}")
    return line
