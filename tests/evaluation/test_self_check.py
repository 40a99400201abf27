from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.self_check import (
    PAIRS,
    TOLERANCES,
    Comparison,
    Measurement,
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


def test_a_second_measurement_agrees(inspector, measured):
    comparison = Comparison(measured, measure(inspector, lambda: None), TOLERANCE)
    assert comparison.passed
    assert comparison.same_images
    assert Measurement.from_dict(measured.to_dict()) == measured


def test_another_model_does_not_agree(inspector, measured):
    network = inspector.model.network
    weight = network.backbone.visual.ln_post.weight
    with torch.no_grad():
        weight.mul_(-1)
    try:
        other = measure(inspector, lambda: None)
    finally:
        with torch.no_grad():
            weight.mul_(-1)
    assert not Comparison(measured, other, TOLERANCES[torch.bfloat16]).passed


def test_a_metric_that_is_missing_fails(measured):
    metrics = {"paper": measured.metrics["paper"] | {"pixel_pro": None}}
    other = replace(measured, metrics=measured.metrics | metrics)
    comparison = Comparison(measured, other, TOLERANCE)
    assert comparison.metric_error == 100
    assert not comparison.passed


def test_an_unknown_model_is_refused(inspector):
    with pytest.raises(ModelError, match="Nothing is recorded of standin"):
        self_check(inspector, lambda: None)
