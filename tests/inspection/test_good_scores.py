from __future__ import annotations

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.good_scores import GoodScores

GOOD = GoodScores(tuple(number / 100 for number in range(10, 30)))


def test_a_percentile_is_the_share_of_lower_scores():
    assert GOOD.percentile(0.1) == 0
    assert GOOD.percentile(0.2) == 50
    assert GOOD.percentile(0.9) == 100
    assert GoodScores().percentile(0.9) is None


@pytest.mark.parametrize(
    ("rule", "origin", "source"),
    [
        ("split", "profile", "profile: 10% false alarms on 20 good images"),
        (
            "jackknife+",
            "references",
            "10% false alarms on 20 references, each left out in turn",
        ),
    ],
)
def test_a_threshold_follows_from_a_rate_of_false_alarms(rule, origin, source):
    found = GoodScores(GOOD.scores, rule, origin).threshold(0.1)
    assert found.source == source
    # Rank 19 of 20, one step of 0.0001 above.
    assert found.value == pytest.approx(0.2801)


def test_too_few_scores_are_refused():
    with pytest.raises(UsageError, match="20 good images are too few for 1% false alarms"):
        GOOD.threshold(0.01)
