from __future__ import annotations

import re

import pytest

from moeclip_cli.evaluation.lines import Line
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.reports.pages.metrics_table import best_cells, best_key, metrics_table

PLACES = ("category", "model", "protocol")


def line(model, value, *, kind="category", category="bolt", protocol="deployed", **more):
    values = dict.fromkeys(METRICS, 100.0) | {"pixel_ap": value}
    return Line(kind, "Own", category, model, protocol, values, **more)


def best(lines):
    return {index for index, name in best_cells(lines) if name == "pixel_ap"}


def test_the_best_model_of_each_category_and_protocol_is_marked():
    lines = [
        line("a", 20.0), line("b", 30.0), line("a", 90.0, category="nut"),
        line("b", 80.0, category="nut"), line("a", 99.0, protocol="paper"),
    ]  # fmt: skip
    assert best(lines) == {1, 2}
    assert {name for _, name in best_cells(lines)} == {"pixel_ap"}
    assert "&#9733;" in best_key(lines)


def test_models_are_compared_at_the_same_number_of_references():
    lines = [line("a", 20.0, shots=1), line("b", 10.0, shots=1), line("b", 30.0, shots=2)]
    assert best(lines) == {0}


@pytest.mark.parametrize(
    "lines",
    [
        [line("a", 20.0)],
        [line("a", 20.01), line("b", 20.04)],
        [line("a", 20.0), line("b", None)],
        [line("a", 20.0), line("MoECLIP", 90.0, kind="published")],
        [line("a", 2.0, kind="difference"), line("b", 1.0, kind="difference")],
    ],
)
def test_nothing_is_marked_without_a_comparison(lines):
    assert best(lines) == set()
    assert best_key(lines) == ""


def test_models_that_show_the_same_best_value_are_both_marked():
    assert best([line("a", 20.01), line("b", 20.04), line("c", 3.0)]) == {0, 1}


def rows(html, part):
    body = re.search(rf"<{part}>(.*?)</{part}>", html, re.DOTALL)
    return re.findall(r"<tr.*?</tr>", body[1], re.DOTALL) if body else []


def test_means_are_below_and_stay_there():
    """The script sorts the body of the table only."""
    lines, means = [line("a", 20.0), line("b", 30.0)], [line("a", 20.0, kind="mean")]
    html = "".join(metrics_table(lines, "x", PLACES, means))
    assert [len(rows(html, part)) for part in ("tbody", "tfoot")] == [2, 1]
    assert 'class="mean"' in rows(html, "tfoot")[0]
    assert "★" not in html
    marked = [row.count("&#9733;") for row in rows(html, "tbody")]
    assert marked == [0, 1]
    assert 'aria-label="best:"' in html
    without = "".join(metrics_table(lines, "x", PLACES))
    assert rows(without, "tfoot") == []
    assert without.count("</tbody>") == 1


@pytest.mark.parametrize(
    ("value", "shade"),
    [(100.0, ""), (94.96, ""), (94.9, " shade-1"), (80.0, " shade-2"), (20.0, " shade-5"),
     (0.0, " shade-5")],
)  # fmt: skip
def test_cells_are_shaded_by_the_value_that_they_show(value, shade):
    html = "".join(metrics_table([line("a", value)], "x", PLACES))
    assert f'<td class="number{shade}" data-value="{value}">{value:.1f}</td>' in html


@pytest.mark.parametrize("kind", ["published", "difference"])
def test_other_lines_are_not_shaded(kind):
    assert "shade-" not in "".join(metrics_table([line("a", 2.0, kind=kind)], "x", PLACES))
    assert "shade-" not in "".join(metrics_table([line("a", None)], "x", PLACES))
