from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def test_what_is_found_is_a_table(moeclip):
    result = moeclip("doctor", "--device", "cpu")
    assert result.exit_code == 0
    rows = dict(line.split("\t") for line in result.stdout.splitlines())
    assert rows["ITEM"] == "VALUE"
    assert {"moeclip", "torch", "cpu", "hub cache"} < rows.keys()
    assert rows["moeclip-mini"].startswith("works on cpu")


def test_the_same_as_json(moeclip):
    content = json.loads(moeclip("doctor", "--json", "--device", "cpu").stdout)
    assert content["found"]["moeclip-mini"].startswith("works on cpu")
    assert content["problems"] == []


def test_a_model_that_does_not_run_is_a_warning_and_an_exit_code(moeclip):
    result = moeclip("doctor", "--device", "cuda:99")
    assert result.exit_code == 4
    assert "built-in model\tdoes not work" in result.stdout
    assert "Warning: " in result.stderr


def test_settings_decide_the_device(moeclip):
    Path("moeclip.toml").write_text('precision = "bf16"\ndevice = "cpu"\n')
    assert "bfloat16" in moeclip("doctor").stdout


@pytest.mark.parametrize("error", ["ImportError", "OSError"])
def test_a_torch_that_cannot_be_imported_is_said(error):
    Path("torch.py").write_text(f"raise {error}('libcudart.so.13 is missing')\n")
    command = [sys.executable, "-m", "moeclip_cli", "doctor"]
    env = os.environ | {"PYTHONPATH": "."}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 4
    assert "libcudart.so.13 is missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert "safetensors" in done.stdout
