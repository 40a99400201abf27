import re
from xml.etree import ElementTree

import pytest

from moeclip_cli.inspection.verdicts import ANOMALOUS, NORMAL, UNSURE, Threshold
from moeclip_cli.reports.pages.histogram import BINS, ScoreHistogram

THRESHOLD = Threshold(0.5)


def bars(histogram: ScoreHistogram) -> list[dict[str, str]]:
    root = ElementTree.fromstring(histogram.svg())
    return [dict(bar.attrib, title=bar[0].text or "") for bar in root.findall("rect")]


def test_scores_are_counted_in_their_bins_ends_included() -> None:
    histogram = ScoreHistogram(THRESHOLD)
    for score in (0.0, 0.019, 0.02, 1.0):
        histogram.add(score, THRESHOLD.verdict(score))
    assert histogram.counts[0, :2].tolist() == [2, 1]
    assert histogram.counts[2, BINS - 1] == 1
    assert histogram.counts.sum() == 4
    assert histogram.highest == 2


def test_bars_are_proportional_to_their_counts() -> None:
    histogram = ScoreHistogram(THRESHOLD)
    for score, count in ((0.11, 30), (0.31, 10)):
        for _ in range(count):
            histogram.add(score, NORMAL)
    first, second = bars(histogram)
    assert float(first["height"]) == pytest.approx(3 * float(second["height"]), abs=0.2)
    assert first["title"] == "0.10 to 0.12: 30 normal"


def test_a_single_image_is_visible_beside_a_million() -> None:
    histogram = ScoreHistogram(THRESHOLD)
    histogram.counts[0, 3] = 1_000_000
    histogram.add(0.9, ANOMALOUS)
    rare = bars(histogram)[1]
    assert rare["class"] == "anomalous"
    assert float(rare["height"]) >= 2


def test_bars_of_all_verdicts_are_stacked() -> None:
    histogram = ScoreHistogram(Threshold(0.515, unsure=0.505))
    for score in (0.51, 0.504, 0.516):
        histogram.add(score, histogram.threshold.verdict(score))
    below, middle, top = bars(histogram)
    assert [bar["class"] for bar in (below, middle, top)] == [NORMAL, UNSURE, ANOMALOUS]
    for lower, upper in ((below, middle), (middle, top)):
        assert lower["x"] == upper["x"]
        foot = float(upper["y"]) + float(upper["height"])
        assert foot == pytest.approx(float(lower["y"]), abs=0.2)


@pytest.mark.parametrize("threshold", [0.0, 0.42, 1.0, 1.5])
def test_the_threshold_line_is_inside_the_drawing(threshold: float) -> None:
    svg = ScoreHistogram(Threshold(threshold)).svg()
    line = re.search(r'class="threshold" x1="([\d.]+)"', svg)
    assert line is not None
    assert 0 <= float(line[1]) <= 800
    assert f"threshold {threshold:.3f}" in svg


@pytest.mark.parametrize(("unsure", "threshold"), [(0.01, 0.02), (0.3, 0.6), (0.55, 0.56)])
def test_both_lines_have_a_name_in_a_row_of_its_own(unsure: float, threshold: float) -> None:
    root = ElementTree.fromstring(ScoreHistogram(Threshold(threshold, unsure=unsure)).svg())
    names = {name.attrib["class"]: name for name in root.findall("text[@class]")}
    upper, lower = names["at-threshold upper"], names["at-unsure"]
    assert (upper.text, lower.text) == (f"threshold {threshold:.3f}", f"unsure from {unsure:.3f}")
    assert float(lower.attrib["y"]) - float(upper.attrib["y"]) > 15
    right = lower.attrib["text-anchor"] == "start"
    assert (unsure > 0.4) != right
