"""What `moeclip benchmark` prints: finished categories, and tables at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from moeclip_cli.cli import console
from moeclip_cli.cli.tables import one_line
from moeclip_cli.evaluation.results import METRICS

if TYPE_CHECKING:
    from rich.table import Table

    from moeclip_cli.evaluation.lines import Line
    from moeclip_cli.evaluation.results import CategoryResult
    from moeclip_cli.evaluation.self_check import SelfCheckResult

_SHOWN = ("image_auroc", "pixel_auroc", "pixel_pro")


def print_category(results: Sequence[CategoryResult]) -> None:
    """Print a line about a finished category, or one for each number of references."""
    from moeclip_cli.reports.pages.benchmark_report import number

    for error in results[0].errors:
        console.warn(error)
    for note in results[0].notes:
        if "metrics" in note:  # why a cell of the table shows -
            console.note(f"{results[0].title}, {results[0].category}: {note}.")
    for result in results:
        shots = f", {result.shots}-shot" if isinstance(result.shots, int) else ""
        for protocol, evaluation in result.evaluations.items():
            values = ", ".join(f"{METRICS[n]} {number(evaluation.metrics[n])}" for n in _SHOWN)
            console.note(
                f"{result.title}, {result.category}, {result.model}{shots}, {protocol}: {values}"
            )


def print_tables(lines: Sequence[Line]) -> None:
    """Print a table for each dataset and one for all of them."""
    from moeclip_cli.reports.pages.benchmark_report import legend

    for title in dict.fromkeys(line.dataset for line in lines):
        console.print_table(_table(title, [line for line in lines if line.dataset == title]))
    for sentence in ("In percent; - is not defined.", *legend(lines)):
        console.stdout().print(Text(sentence), style="dim", soft_wrap=True)


def _table(title: str, lines: Sequence[Line]) -> Table:
    from moeclip_cli.reports.pages.benchmark_report import has_shots, metric_cell, shots_cell

    table = console.plain_table(title)
    for heading in ("category", "model", "protocol"):
        table.add_column(heading, overflow="fold")
    with_shots = has_shots(lines)
    for heading in (*(["shots"] if with_shots else []), *METRICS.values()):
        table.add_column(heading, justify="right")
    for line in lines:
        names = [Text(one_line(cell)) for cell in (line.category, line.model, line.protocol)]
        shots = [shots_cell(line)] if with_shots else []
        values = [metric_cell(line, name) for name in METRICS]
        table.add_row(*names, *shots, *values, style="bold" if line.kind == "mean" else "")
    return table


def print_comparison(comparison: SelfCheckResult) -> None:
    """Print recorded and measured numbers side by side."""
    table = console.plain_table()
    table.add_column("metric")
    for heading in ("recorded", "here"):
        table.add_column(heading, justify="right")
    for protocol, values in comparison.recorded.metrics.items():
        for name, title in METRICS.items():
            recorded, here = values[name], comparison.measured.metrics[protocol][name]
            cells = ["-" if value is None else f"{value:.2f}" for value in (recorded, here)]
            table.add_row(f"{title}, {protocol}", *cells)
    console.print_table(table)
