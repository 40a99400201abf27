import numpy as np
import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.conformal import (
    attainable_rate,
    conformal_threshold,
    describe_conformal,
)


def test_of_nineteen_images_none_may_reach_five_percent():
    scores = list(np.linspace(0.1, 0.28, 19))

    assert conformal_threshold(scores, 0.05) == pytest.approx(0.2801)


def test_of_a_hundred_images_four_may_reach_five_percent():
    """The fifth of the 5.05 that a hundred and one allow is kept for the new image."""
    scores = np.linspace(0, 0.99, 100)

    threshold = conformal_threshold(list(scores), 0.05)

    assert (scores >= threshold).sum() == 4


def test_the_order_does_not_matter():
    scores = list(np.random.default_rng(0).random(50))

    assert conformal_threshold(scores, 0.1) == conformal_threshold(sorted(scores), 0.1)


@pytest.mark.parametrize("images", [19, 40, 100])
def test_new_images_raise_no_more_false_alarms_than_allowed(images):
    """Over many calibrations; a few images of a skewed kind of score included."""
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(2000):
        threshold = conformal_threshold(list(rng.beta(2, 8, images)), 0.05)
        rates.append((rng.beta(2, 8, 200) >= threshold).mean())

    assert 0.5 * 0.05 < np.mean(rates) < 1.05 * 0.05


def test_equal_scores_do_not_reach_their_threshold():
    scores = [0.4] * 30

    assert conformal_threshold(scores, 0.05) > 0.4


def test_no_score_is_above_one():
    assert conformal_threshold([1.0] * 30, 0.05) == 1.0


@pytest.mark.parametrize(
    ("images", "false_alarms", "needed"),
    [(18, 0.05, 19), (1, 0.05, 19), (3, 0.2, 4), (0, 0.5, 1), (98, 0.01, 99)],
)
def test_too_few_images_are_refused_with_the_number_needed(images, false_alarms, needed):
    counted = "1 good image is" if images == 1 else f"{images} good images are"
    with pytest.raises(UsageError, match=f"{counted} too few .* takes {needed}\\."):
        conformal_threshold([0.2] * images, false_alarms)

    assert conformal_threshold([0.2] * needed, false_alarms) == pytest.approx(0.2001)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 5, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(UsageError, match="between 0 and 1"):
        conformal_threshold([0.2] * 50, rate)


@pytest.mark.parametrize(
    ("images", "desired", "attained"), [(19, 0.05, 0.05), (18, 0.05, 1 / 19), (1, 0.05, 0.5)]
)
def test_few_images_attain_only_a_higher_rate(images, desired, attained):
    assert attainable_rate(images, desired) == attained
    scores = list(np.linspace(0.2, 0.4, images))
    # The threshold at the attained rate is just above all scores.
    assert conformal_threshold(scores, attained) == pytest.approx(scores[-1] + 1e-4, abs=1e-9)


def test_the_description_names_the_rule_and_the_rate_that_holds():
    assert describe_conformal(400, "generated images", 0.05) == (
        "5% false alarms on 400 generated images (split conformal)"
    )
    assert describe_conformal(3, "normal images", 0.01) == (
        "25% false alarms on 3 normal images (split conformal; 1% takes 99 images)"
    )
