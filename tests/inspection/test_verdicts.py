from __future__ import annotations

import pytest

from moeclip_cli.inspection.verdicts import ANOMALOUS, NORMAL, UNSURE, Threshold


@pytest.mark.parametrize(
    ("unsure", "verdicts"),
    [
        (None, [NORMAL, NORMAL, NORMAL, ANOMALOUS]),
        (0.25, [NORMAL, UNSURE, UNSURE, ANOMALOUS]),
        (0.0, [UNSURE, UNSURE, UNSURE, ANOMALOUS]),
        (0.5, [NORMAL, NORMAL, NORMAL, ANOMALOUS]),
    ],
)
def test_each_threshold_is_reached_from_its_own_value_on(unsure, verdicts):
    threshold = Threshold(0.5, unsure=unsure)
    assert [threshold.verdict(score) for score in (0.2499, 0.25, 0.4999, 0.5)] == verdicts
