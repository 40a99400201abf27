"""The table at the end of `moeclip score`: the images with the highest scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from moeclip_cli.cli import console
from moeclip_cli.cli.tables import one_line
from moeclip_cli.inspection.verdicts import NORMAL
from moeclip_cli.reports.common_folder import below, common_folder

if TYPE_CHECKING:
    from moeclip_cli.inspection.result import Row
    from moeclip_cli.inspection.thresholds import AppliedThreshold
    from moeclip_cli.runs.summary import Summary

_GAP = 2  # blanks between two columns
_NARROWEST_PATH = 12
_ELLIPSIS = "…"


def print_highest(summary: Summary, good_parts: int) -> None:
    """Print the images with the highest scores, and where the anomalies are.

    Args:
        summary: of a run with at least one score.
        good_parts: number of good parts that percentiles refer to; 0 for none.
    """
    rows = summary.most_anomalous
    folder = common_folder([row.path for row in rows])
    heads = ["score", "verdict", *(["good parts below"] if good_parts else []), "area"]
    heads += ["x0 y0 x1 y1", "image"]
    lines = [[*_cells(row, good_parts), _name(row, folder)] for row in rows]
    out = console.stdout()
    if out.is_terminal:
        columns = list(zip(heads, *lines, strict=True))[:-1]
        room = out.width - sum(max(map(cell_len, column)) + _GAP for column in columns)
        lines = [[*cells, shorten_middle(name, room)] for *cells, name in lines]
    table = console.plain_table()
    for head in heads:
        right = head in ("score", "good parts below", "area")
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    for row, cells in zip(rows, lines, strict=True):
        style = "" if row.verdict == NORMAL else "bold"
        table.add_row(*map(Text, cells), style=style)
    where = f" in {one_line(folder)}" if folder else ""
    out.print(Text(f"{_title(summary)}{where}", style="italic"), soft_wrap=True)
    console.print_table(table)


def counted_verdicts(summary: Summary, what: str, *, band: bool) -> str:
    """The counts of a run, such as "3 images: 1 anomalous, 2 normal, 0 unreadable".

    Args:
        summary: of the run.
        what: noun for one of the images.
        band: whether images can be unsure.
    """
    unsure = f"{summary.unsure} unsure, " if band else ""
    return (
        f"{console.counted(summary.images, what)}: {summary.anomalous} anomalous, {unsure}"
        f"{summary.normal} normal, {summary.failed} unreadable"
    )


def threshold_sentence(threshold: AppliedThreshold) -> str:
    """The threshold and its origin, with the lower one if there is one."""
    found = f"Threshold {threshold.value:.3f} ({threshold.source})"
    if threshold.unsure is not None:
        found += f", unsure from {threshold.unsure:.3f} ({threshold.unsure_source})"
    return f"{found}."


def shorten_middle(text: str, width: int) -> str:
    """Replace the middle of a text by an ellipsis if it is wider than `width` cells, 12 at least.

    The end, with the name of the file, gets two thirds of the room.
    """
    width = max(width, _NARROWEST_PATH)
    if cell_len(text) <= width:
        return text
    end = 2 * (width - 1) // 3
    start = width - 1 - end
    return f"{_clipped(text, start)}{_ELLIPSIS}{_clipped(text[::-1], end)[::-1]}"


def _clipped(text: str, width: int) -> str:
    """As many of the first characters as fit into `width` cells."""
    length = len(text)
    while cell_len(text[:length]) > width:
        length -= 1
    return text[:length]


def _title(summary: Summary) -> str:
    if summary.anomalous:
        return "Most anomalous"
    return "Highest scores" if summary.failed or summary.unsure else "All normal. Highest scores"


def _name(row: Row, folder: str) -> str:
    return one_line(below(row.path, folder))


def _cells(row: Row, good_parts: int) -> list[str]:
    below = [row.good_parts_below(good_parts)] if good_parts else []
    area = "" if row.area_fraction is None else f"{row.area_fraction:.1%}"
    return [f"{row.score:.3f}", str(row.verdict), *below, area, _place(row)]


def _place(row: Row) -> str:
    """The box of the largest region; the peak of an anomalous or unsure image that has none."""
    if row.x0 is not None:
        return f"{row.x0} {row.y0} {row.x1} {row.y1}"
    return f"peak {row.peak_x} {row.peak_y}" if row.verdict != NORMAL else ""
