from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from moeclip_cli.evaluation.results import Curve
from moeclip_cli.reports.pages.charts import curves_svg, scores_svg


def test_a_curve_spans_the_axes():
    drawing = ElementTree.fromstring(
        curves_svg({"image": Curve((0.0, 0.0, 1.0), (0.0, 1.0, 1.0))}, "false alarms", "recall")
    )
    (line,) = drawing.findall("polyline")
    assert line.get("class") == "curve image"
    points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
    (left, bottom), (also_left, top), (right, also_top) = points
    assert (left, top) == (also_left, also_top)
    assert left < right
    assert top < bottom  # SVG counts downwards
    _, _, width, height = map(float, drawing.get("viewBox").split())
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_scores_are_bars_on_both_sides_of_the_axis():
    drawing = ElementTree.fromstring(scores_svg([8, 0, 2, 0], [0, 0, 1, 3]))
    base = float(drawing.find("line").get("y1"))
    bars = drawing.findall("rect")
    assert [bar.find("title").text.split(": ")[1] for bar in bars] == [
        "1 anomalous", "3 anomalous", "8 normal", "2 normal",
    ]  # fmt: skip
    for bar in bars:
        top, height = float(bar.get("y")), float(bar.get("height"))
        assert (top if bar.get("class") == "normal" else top + height) == base
    heights = [float(bar.get("height")) for bar in bars]
    assert heights[1] == heights[2] > heights[0] > heights[3]


def test_empty_bins_have_no_bars():
    assert "rect" not in scores_svg([0, 0], [0, 0])
