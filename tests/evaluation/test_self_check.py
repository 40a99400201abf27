from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.self_check import (
    PAIRS,
    TOLERANCES,
    Measurement,
    SelfCheckResult,
    measure,
    self_check,
)

TOLERANCE = TOLERANCES[torch.float32]


@pytest.fixture(scope="module")
def measured(inspector):
    seen = []
    found = measure(inspector, lambda: seen.append(1))
    assert len(seen) == len(found.scores) == 2 * PAIRS
    return found


def test_a_second_measurement_passes(inspector, measured):
    comparison = SelfCheckResult(measured, measure(inspector, lambda: None), TOLERANCE)
    assert comparison.passed
    assert comparison.same_images
    assert Measurement.from_dict(measured.to_dict()) == measured


def test_another_model_fails(inspector, measured):
    network = inspector.model.network
    weight = network.backbone.vision.norm.weight
    with torch.no_grad():
        weight.mul_(-1)
    try:
        other = measure(inspector, lambda: None)
    finally:
        with torch.no_grad():
            weight.mul_(-1)
    assert not SelfCheckResult(measured, other, TOLERANCES[torch.bfloat16]).passed


def test_a_missing_metric_fails(measured):
    metrics = {"paper": measured.metrics["paper"] | {"pixel_pro": None}}
    other = replace(measured, metrics=measured.metrics | metrics)
    comparison = SelfCheckResult(measured, other, TOLERANCE)
    assert comparison.metric_error == 100
    assert not comparison.passed


def test_a_model_without_a_record_is_rejected(inspector):
    with pytest.raises(ModelError, match="no self-check record of standin"):
        self_check(inspector, lambda: None)
