from __future__ import annotations

import pytest

from moeclip_cli.checkpoints.builtin import BUILTIN, builtin_file
from moeclip_cli.checkpoints.checkpoint import read_checkpoint
from moeclip_cli.inspection.conformal import describe_conformal
from moeclip_cli.inspection.good_scores import GoodScores
from moeclip_cli.inspection.thresholds import given_threshold, mutual_threshold
from moeclip_cli.reports.pages.german import GERMAN
from moeclip_cli.reports.pages.languages import ENGLISH
from moeclip_cli.reports.pages.threshold_words import threshold_in_words

SCORES = tuple(number / 300 for number in range(200))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            GoodScores(SCORES).threshold(0.05).source,
            "set on 200 good images, about 5 of 100 good parts are flagged",
        ),
        (
            GoodScores(SCORES, "jackknife+", "references").threshold(0.05).source,
            "set on 200 references, about 5 of 100 good parts are flagged",
        ),
        (
            GoodScores(SCORES).threshold(0.005).source,
            "set on 200 good images, about 5 of 1,000 good parts are flagged",
        ),
        (
            f"checkpoint: {describe_conformal(9, 'normal images of bolts', 0.05)}",
            "set on 9 normal images of bolts, about 10 of 100 such images without a defect are "
            "flagged, and of your good parts maybe more",
        ),
        (given_threshold(0.5).source, "set by hand"),
        (
            mutual_threshold(SCORES).source,
            "the limit from which an image stands out of these 200",
        ),
        ("not calibrated: one reference, 0.6 is a guess", "not calibrated, a guess"),
        ("checkpoint: found by ear", "checkpoint: found by ear"),
    ],
)
def test_the_origin_of_a_threshold_is_told_without_statistics(source, words):
    assert threshold_in_words(source, ENGLISH) == words


def test_the_origin_is_told_in_german():
    source = GoodScores(SCORES).threshold(0.005).source
    assert threshold_in_words(source, GERMAN) == (
        "bestimmt an 200 Gutteilen, etwa 5 von 1.000 Gutteilen werden beanstandet"
    )


@pytest.mark.parametrize("name", BUILTIN)
def test_the_threshold_of_a_built_in_model_is_told_without_english(name):
    threshold = read_checkpoint(builtin_file(BUILTIN[name].checkpoint)).config.threshold
    source = f"checkpoint: {threshold.how}"
    assert "erzeugten Bildern" in threshold_in_words(source, GERMAN)
