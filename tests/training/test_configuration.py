from __future__ import annotations

import json
from dataclasses import replace

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.model.config import NetworkConfig
from moeclip_cli.training.configuration import (
    Augmentation,
    TrainingConfig,
    choose_training_precision,
)


def test_the_defaults_are_the_papers():
    config = TrainingConfig("visa")
    assert (config.epochs, config.batch_size, config.seed) == (20, 2, 111)
    assert (config.learning_rate, config.beta1, config.beta2) == (5e-5, 0.5, 0.999)
    assert config.balance_weight == config.etf_weight == 0.01
    assert config.network.dropout == 0.05
    assert config.network.image_size == 518
    rates = [config.rate_at(step) for step in (0, 15_999, 16_000, 31_999, 32_000)]
    assert rates == [5e-5, 5e-5, 2.5e-5, 2.5e-5, 1.25e-5]


def test_as_released_is_without_dropout_and_expert_losses():
    released = TrainingConfig("visa").as_released()
    assert released.network.dropout == released.balance_weight == released.etf_weight == 0
    assert released == replace(
        TrainingConfig("visa", network=NetworkConfig(dropout=0.0)),
        balance_weight=0.0,
        etf_weight=0.0,
    )


def test_options_are_plain_values_with_names_of_their_own():
    options = TrainingConfig("visa").options()
    assert options["milestones"] == "16000,32000"
    assert options["layers"] == "6,12,18,24"
    apart = TrainingConfig("visa", network=NetworkConfig(moe_layers=(3, 9)))
    assert "moe_layers" not in options
    assert apart.options()["moe_layers"] == "3,9"
    assert apart.to_dict()["network"]["moe_layers"] == [3, 9]
    assert options["rotation"] == 30.0
    assert "max_steps" not in options
    assert all(isinstance(value, (str, int, float, bool)) for value in options.values())
    assert json.loads(json.dumps(TrainingConfig("visa").to_dict()))["network"]["rank"] == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"max_steps": 0},
        {"learning_rate": 0.0},
        {"beta1": 1.0},
        {"decay": 0.0},
        {"milestones": (5, 3)},
        {"milestones": (0,)},
        {"learning_rate": float("inf")},
        {"balance_weight": float("inf")},
        {"etf_weight": float("inf")},
        {"etf_weight": -1.0},
        {"val_fraction": 1.0},
        {"false_alarms": 0.0},
        {"seed": -1},
        {"batch_size": 2, "accumulate": 4},
        {"val_data": "mvtec", "val_fraction": 0.1},
    ],
)
def test_values_that_make_no_sense_are_refused(changes):
    with pytest.raises(UsageError):
        TrainingConfig("visa", **changes)


@pytest.mark.parametrize("changes", [{"rotation": 200.0}, {"rotation_p": 2}, {"translation": 1.0}])
def test_augmentation_is_checked_too(changes):
    with pytest.raises(UsageError):
        Augmentation(**changes)


def test_precision_by_name():
    assert choose_training_precision("auto") == "fp32"
    assert choose_training_precision("bf16") == "bf16"
    with pytest.raises(UsageError, match="Unknown precision 'int8'"):
        choose_training_precision("int8")
