from __future__ import annotations

from dataclasses import replace

import pytest

from moeclip_cli.checkpoints.configuration import BackboneRef, CheckpointConfig, Threshold
from moeclip_cli.errors import UsageError
from moeclip_cli.inspection.profile import Profile
from moeclip_cli.inspection.thresholds import choose_threshold
from moeclip_cli.model.config import NetworkConfig

PROFILE = Profile(0.61, 0.05, 40, "metal bracket", {})


def make_config(threshold=None):
    return CheckpointConfig(NetworkConfig(), BackboneRef("ViT-L-14-336"), threshold=threshold)


def test_given_threshold_wins_over_the_checkpoints():
    config = make_config(Threshold(0.4, "5 % false alarms"))
    assert choose_threshold(0.7, None, config).value == 0.7
    assert choose_threshold(0.0, None, config).value == 0.0


def test_a_profile_wins_over_the_checkpoint_and_not_over_the_user():
    config = make_config(Threshold(0.4, "5 % false alarms"))
    assert choose_threshold(0.7, PROFILE, config).value == 0.7
    assert choose_threshold(None, PROFILE, config).value == 0.61
    assert "5% false alarms on 40 good images" in choose_threshold(None, PROFILE, config).source


def test_a_band_comes_with_the_profile_unless_the_user_gives_another():
    config, profile = make_config(), replace(PROFILE, unsure_threshold=0.5, unsure_rate=0.2)
    found = choose_threshold(None, profile, config)
    assert (found.value, found.unsure) == (0.61, 0.5)
    assert found.unsure_source == "profile: 20% false alarms on 40 good images"
    assert choose_threshold(0.7, profile, config).unsure is None
    given = choose_threshold(None, profile, config, unsure=0.4)
    assert (given.value, given.unsure, given.unsure_source) == (0.61, 0.4, "given")
    with pytest.raises(UsageError, match="`unsure` must be below the threshold, 0.61, not 0.7"):
        choose_threshold(None, profile, config, unsure=0.7)


def test_checkpoints_threshold_says_how_it_was_found():
    chosen = choose_threshold(None, None, make_config(Threshold(0.4, "5 % false alarms")))
    assert chosen.value == 0.4
    assert "5 % false alarms" in chosen.source


def test_fallback_says_that_it_is_a_guess():
    chosen = choose_threshold(None, None, make_config())
    assert chosen.value == 0.5
    assert "guess" in chosen.source


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_thresholds_outside_the_range_of_scores_are_refused(value):
    with pytest.raises(UsageError, match="between 0 and 1"):
        choose_threshold(value, None, make_config())
