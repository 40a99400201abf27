from __future__ import annotations

import shutil
from dataclasses import replace

import average_mini
import pytest
import torch

from moeclip_cli.checkpoints.builtin import BUILTIN, builtin_file
from moeclip_cli.checkpoints.checkpoint import read_checkpoint, write_checkpoint
from moeclip_cli.checkpoints.safetensors_file import read_safetensors

FILES = BUILTIN["moeclip-mini"]


@pytest.fixture
def models(tmp_path):
    """The built-in model, and a copy whose adapters are twice as large."""
    folders = [tmp_path / "original", tmp_path / "doubled"]
    for folder in folders:
        folder.mkdir()
        for name in (FILES.checkpoint, FILES.backbone):
            shutil.copy(builtin_file(name), folder)
    path = folders[1] / FILES.checkpoint
    checkpoint = read_checkpoint(path)
    doubled = {name: 2 * value for name, value in checkpoint.tensors.items()}
    write_checkpoint(path, replace(checkpoint.config, training={"steps": 7}), doubled)
    return folders


def test_the_mean_of_two_models_is_written(models, tmp_path, monkeypatch, capsys):
    arguments = [*map(str, models), "--pairs", "1", "--out", str(tmp_path / "mean")]
    monkeypatch.setattr("sys.argv", ["average_mini.py", *arguments])

    average_mini.main()

    assert f"wrote {tmp_path / 'mean'}" in capsys.readouterr().out
    mean, original = (
        read_checkpoint(folder / FILES.checkpoint) for folder in (tmp_path / "mean", models[0])
    )
    for name, value in original.tensors.items():
        torch.testing.assert_close(mean.tensors[name], 1.5 * value, rtol=2e-3, atol=1e-4)
    towers, _ = read_safetensors(tmp_path / "mean" / FILES.backbone)
    for name, value in read_safetensors(builtin_file(FILES.backbone))[0].items():
        assert torch.equal(towers[name], value), name
    assert mean.config.scales == original.config.scales
    assert mean.config.training["before"]["mean of"][str(models[1])] == {"steps": 7}
