from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from moeclip_cli.checkpoints.builtin import BUILTIN, builtin_file
from moeclip_cli.checkpoints.checkpoint import read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.safetensors_file import read_safetensors

SCRIPT = Path(__file__).parents[2] / "examples" / "average_mini.py"
FILES = BUILTIN["moeclip-mini"]


@pytest.fixture
def models(tmp_path):
    """The built-in model, and one whose adapters are twice as large."""
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
        for name in (FILES.checkpoint, FILES.backbone):
            shutil.copy(builtin_file(name), folder)
    path = folders[1] / FILES.checkpoint
    checkpoint = read_checkpoint(path)
    doubled = {name: 2 * value for name, value in checkpoint.tensors.items()}
    write_checkpoint(path, replace(checkpoint.config, training={"steps": 7}), doubled)
    return folders


def test_the_mean_of_two_models_is_a_model(models, tmp_path):
    command = [sys.executable, SCRIPT, *models, "--pairs", "2", "--out", tmp_path / "mean"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert f"wrote {tmp_path / 'mean'}" in done.stdout
    mean, one = (
        read_checkpoint(folder / FILES.checkpoint) for folder in (tmp_path / "mean", models[0])
    )
    for name, value in one.tensors.items():
        torch.testing.assert_close(mean.tensors[name], 1.5 * value, rtol=2e-3, atol=1e-4)
    towers, _ = read_safetensors(tmp_path / "mean" / FILES.backbone)
    for name, value in read_safetensors(builtin_file(FILES.backbone))[0].items():
        assert torch.equal(towers[name], value), name
    assert mean.config.scales == one.config.scales
    assert mean.config.training["before"]["mean of"][str(models[1])] == {"steps": 7}
