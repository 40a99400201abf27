import math

import pytest
import torch

from moeclip_cli.checkpoints.loading import load_model
from moeclip_cli.errors import ModelError
from moeclip_cli.evaluation.fastest_precision import (
    BOUND,
    FastestPrecision,
    Trial,
    fastest_precision,
)
from moeclip_cli.inspection.inspector import Inspector


@pytest.fixture
def load(standin):
    """Loads the stand-in; `load.loaded` are the precisions and references asked for."""

    def make(precision, references):
        make.loaded.append((precision, references))
        model = load_model(str(standin.model), backbone_weights=standin.backbone, image_size=70)
        return Inspector(model, device="cpu", precision=precision, references=references)

    make.loaded = []
    return make


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ((), "fp32"),
        ((Trial("bf16", 2.0, BOUND),), "bf16"),
        ((Trial("bf16", 2.0, BOUND * 1.01),), "fp32"),
        ((Trial("bf16", 1.05, 0.0),), "fp32"),
        ((Trial("bf16", 3.0, 0.01), Trial("fp16", 2.0, 0.001)), "fp16"),
        ((Trial("bf16", 3.0, 0.001), Trial("fp16", 2.0, 0.001)), "bf16"),
        ((Trial("bf16"), Trial("fp16")), "fp32"),
    ],
)
def test_the_fastest_type_within_the_bound_is_chosen(trials, expected):
    assert FastestPrecision(40, trials).precision == expected


def test_the_choice_is_told():
    choice = FastestPrecision(32, (Trial("bf16", 2.5, 0.0016), Trial("fp16")))
    assert str(choice) == (
        "Precision bf16, by 32 generated pictures: beside fp32, bf16 is 2.50 times as fast, scores "
        "differ by at most 0.0016; fp16 gives no finite numbers (allowed: 0.005)."
    )
    assert choice.to_dict()["trials"][1]["difference"] is None


def test_types_are_measured_beside_float32(load):
    found = fastest_precision(load, compares=False)
    assert load.loaded == [("fp32", None), ("bf16", None)]
    (trial,) = found.trials
    assert 0 < trial.difference < 0.1
    assert 0 < trial.speed < math.inf
    assert found.images >= 2


def test_references_are_those_of_float32(load):
    found = fastest_precision(load, compares=True)
    (_, pictures), (_, references) = load.loaded
    assert len(pictures) == len(references.names) == 4
    assert 0 < found.trials[0].difference < 0.1


def test_a_type_without_finite_numbers_is_not_chosen(load):
    def overflowing(precision, references):
        inspector = load(precision, references)
        if precision != "fp32":
            with torch.no_grad():
                inspector.model.network.backbone.vision.norm.weight.fill_(math.inf)
        return inspector

    found = fastest_precision(overflowing, compares=False)
    assert found.precision == "fp32"
    assert "no finite numbers" in str(found)


def test_a_model_that_fails_in_float32_is_an_error(load):
    def failing(precision, references):
        raise ModelError("not found")

    with pytest.raises(ModelError, match="not found"):
        fastest_precision(failing, compares=False)
