from __future__ import annotations

import re

from moeclip_cli.evaluation.lines import Line
from moeclip_cli.evaluation.results import METRICS
from moeclip_cli.reports.pages.benchmark_overview import best_and_worst, side_by_side


def line(model, category, image, pixel, **more):
    values = dict.fromkeys(METRICS, 50.0) | {"image_auroc": image, "pixel_ap": pixel}
    kind = "mean" if category == "mean" else "category"
    more = {"protocol": "deployed", **more}
    return Line(kind, "Own", category, model, values=values, **more)


LINES = [
    line("mini", "bolt", 90.0, 20.0), line("small", "bolt", 96.0, 25.0),
    line("mini", "nut", 70.0, None), line("small", "nut", 65.0, 40.0),
    line("mini", "gear", 80.0, 61.0), line("small", "<gear>", 85.0, 30.0),
    line("mini", "mean", 80.0, 40.5), line("small", "mean", 82.0, 31.7),
    line("mini", "bolt", 1.0, 1.0, protocol="paper"),
]  # fmt: skip


def table(html):
    """The texts of the cells, row by row."""
    rows = re.findall(r"<tr.*?</tr>", html, re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<.*?>|&#\d+;", "", cell) for cell in row] for row in cells]


def test_the_best_and_the_worst_category_of_each_model_by_image_and_by_pixel():
    html = "".join(best_and_worst(LINES))
    assert table(html)[1:] == [
        ["mini", "90.0 bolt", "70.0 nut", "61.0 gear", "20.0 bolt"],
        ["small", "96.0 bolt", "65.0 nut", "40.0 nut", "25.0 bolt"],
    ]
    assert '<td class="extreme shade-2">90.0' not in html  # 90.0 is not below 90
    assert '<td class="extreme shade-5">20.0 bolt' in html


def test_models_are_side_by_side_with_the_mean_last():
    html = "".join(side_by_side(LINES))
    assert table(html) == [
        ["", "image AUROC", "pixel AP"],
        ["", "mini", "small", "mini", "small"],
        ["bolt", "90.0", "96.0", "20.0", "25.0"],
        ["nut", "70.0", "65.0", "-", "40.0"],
        ["gear", "80.0", "", "61.0", ""],
        ["&lt;gear&gt;", "", "85.0", "", "30.0"],
        ["Mean", "80.0", "82.0", "40.5", "31.7"],
    ]
    assert html.count('class="best"') == 5


def test_one_model_or_one_category_has_no_comparison():
    assert "".join(side_by_side(LINES[::2])) == ""
    assert "".join(best_and_worst(LINES[:2])) == ""


def test_numbers_of_references_are_columns():
    lines = [line("mini", "bolt", 90.0 + shots, 20.0, shots=shots) for shots in (1, 4)]
    assert table("".join(side_by_side(lines)))[1:] == [
        ["", "mini, 1-shot", "mini, 4-shot", "mini, 1-shot", "mini, 4-shot"],
        ["bolt", "91.0", "94.0", "20.0", "20.0"],
    ]
