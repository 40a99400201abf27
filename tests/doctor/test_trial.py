from __future__ import annotations

import re

from moeclip_cli.doctor.trial import trial
from moeclip_cli.errors import ModelError


def test_the_builtin_model_runs():
    finding = trial("cpu", "auto")
    assert finding.problem is None
    assert re.fullmatch(r"works on cpu, \d+ threads?, float32: \d+ ms an image", finding.value)


def test_a_device_that_is_not_there_is_a_problem():
    finding = trial("cuda:99", "auto")
    assert finding.value == "does not work"
    assert "cuda" in finding.problem.lower()


def test_a_model_that_cannot_be_loaded_is_a_problem(monkeypatch):
    def damaged(*args, **kwargs):
        raise ModelError("The file is damaged.")

    monkeypatch.setattr("moeclip_cli.inspection.inspector.load_model", damaged)
    assert trial("cpu", "auto").problem == "The file is damaged."
