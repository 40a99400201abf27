from __future__ import annotations

from moeclip_cli.inspection.result import Row
from moeclip_cli.runs.summary import TOP, Summary


def row(path, score):
    return Row(path, score=score, verdict="anomalous" if score >= 0.5 else "normal")


def test_counts_and_most_anomalous_images():
    summary = Summary()
    scores = [0.1 * (i % 10) for i in range(100)]
    for i, score in enumerate(scores):
        summary.add(row(str(i), score))
    summary.add(Row("broken.png", error="The file is empty."))
    assert (summary.images, summary.anomalous, summary.normal, summary.failed) == (101, 50, 50, 1)
    # Of equal scores the first ones stay, in the order of the input.
    assert [item.path for item in summary.most_anomalous] == [str(9 + 10 * i) for i in range(TOP)]


def test_rows_of_an_earlier_run_count_but_not_for_the_speed():
    summary = Summary()
    summary.add(row("old.png", 0.9), now=False)
    assert (summary.images, summary.scored_now, summary.images_per_second) == (1, 0, 0)


def drifted(percentiles, verdict="normal"):
    summary = Summary()
    for number, percentile in enumerate(percentiles):
        summary.add(Row(str(number), score=0.3, verdict=verdict, percentile=percentile))
    return summary.drifted


def test_good_parts_drift_if_most_score_above_four_fifths_of_the_calibration():
    assert drifted([80] * 11 + [10] * 9)
    assert not drifted([80] * 10 + [10] * 10)
    assert not drifted([79.9] * 20)
    assert not drifted([100] * 19), "too few images"
    assert not drifted([100] * 30, "anomalous")
    assert not drifted([None] * 30)
    assert drifted([80] * 20, "unsure"), "a band takes the highest scores of the normal images"


def test_unsure_images_are_counted_where_there_is_a_band():
    summary = Summary()
    summary.add(Row("a.png", score=0.4, verdict="unsure"))
    assert (summary.images, summary.unsure, summary.normal, summary.below) == (1, 1, 0, 1)
    assert summary.to_dict(band=True)["unsure"] == 1
    assert "unsure" not in summary.to_dict(band=False)
