from __future__ import annotations

import re

from moeclip_cli.doctor.model_check import check_model
from moeclip_cli.errors import ModelError


def test_the_builtin_model_runs():
    finding = check_model("cpu", "auto")
    assert finding.problem is None
    assert re.fullmatch(r"works on cpu, \d+ threads?, float32: \d+ ms per image", finding.value)


def test_an_unavailable_device_is_a_problem():
    finding = check_model("cuda:99", "auto")
    assert finding.value == "does not work"
    assert "cuda" in finding.problem.lower()


def test_a_model_that_cannot_be_loaded_is_a_problem(monkeypatch):
    def damaged(*args, **kwargs):
        raise ModelError("The file is damaged.")

    monkeypatch.setattr("moeclip_cli.inspection.inspector.load_model", damaged)
    assert check_model("cpu", "auto").problem == "The file is damaged."
