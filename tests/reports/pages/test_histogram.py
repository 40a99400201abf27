import re
from xml.etree import ElementTree

import pytest

from moeclip_cli.reports.pages.histogram import BINS, ScoreHistogram


def bars(histogram: ScoreHistogram, threshold: float = 0.5) -> list[dict[str, str]]:
    root = ElementTree.fromstring(histogram.svg(threshold))
    return [dict(bar.attrib, title=bar[0].text or "") for bar in root.findall("rect")]


def test_scores_are_counted_in_their_bins_ends_included() -> None:
    histogram = ScoreHistogram()
    for score in (0.0, 0.019, 0.02, 1.0):
        histogram.add(score, anomalous=score > 0.5)
    assert histogram.counts[0, :2].tolist() == [2, 1]
    assert histogram.counts[1, BINS - 1] == 1
    assert histogram.counts.sum() == 4
    assert histogram.highest == 2


def test_bars_are_proportional_to_their_counts() -> None:
    histogram = ScoreHistogram()
    for score, count in ((0.11, 30), (0.31, 10)):
        for _ in range(count):
            histogram.add(score, anomalous=False)
    first, second = bars(histogram)
    assert float(first["height"]) == pytest.approx(3 * float(second["height"]), abs=0.2)
    assert first["title"] == "0.10 to 0.12: 30 normal"


def test_a_single_image_is_visible_beside_a_million() -> None:
    histogram = ScoreHistogram()
    histogram.counts[0, 3] = 1_000_000
    histogram.add(0.9, anomalous=True)
    rare = bars(histogram)[1]
    assert rare["class"] == "anomalous"
    assert float(rare["height"]) >= 2


def test_bars_of_both_verdicts_are_stacked() -> None:
    histogram = ScoreHistogram()
    histogram.add(0.5, anomalous=False)
    histogram.add(0.5, anomalous=True)
    normal, anomalous = bars(histogram)
    assert normal["x"] == anomalous["x"]
    top = float(anomalous["y"]) + float(anomalous["height"])
    assert top == pytest.approx(float(normal["y"]), abs=0.2)


@pytest.mark.parametrize("threshold", [0.0, 0.42, 1.0, 1.5])
def test_the_threshold_line_is_inside_the_drawing(threshold: float) -> None:
    svg = ScoreHistogram().svg(threshold)
    line = re.search(r'class="threshold" x1="([\d.]+)"', svg)
    assert line is not None
    assert 0 <= float(line[1]) <= 800
    assert f"threshold {threshold:.3f}" in svg
