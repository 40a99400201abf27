from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest
import torch
from support import hostile_pickles
from support.standins import ModuleTree, save_torchscript
from torch import nn

from moeclip_cli.checkpoints.torchscript_file import read_torchscript_file
from moeclip_cli.errors import ModelError

STATE = {
    "logit_scale": torch.tensor(4.6),
    "visual.proj": torch.arange(6.0).reshape(3, 2).half(),
    "visual.blocks.0.ln.weight": torch.ones(3, dtype=torch.float64),
    "visual.blocks.1.ln.weight": torch.ones(3, dtype=torch.bfloat16),
    "visual.transposed": torch.arange(6.0).reshape(2, 3).T,
    "visual.empty": torch.empty(0, 4),
    "input_resolution": torch.tensor(336),
}


def test_the_tensors_are_those_of_the_state_dict(tmp_path: Path) -> None:
    save_torchscript(ModuleTree(STATE), tmp_path / "clip.pt")
    read = read_torchscript_file(tmp_path / "clip.pt")
    assert read.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert torch.equal(read[name], tensor), name
        assert read[name].dtype is tensor.dtype


def test_shared_tensors_are_read_under_both_names(tmp_path: Path) -> None:
    weight = nn.Parameter(torch.arange(4.0))
    module = ModuleTree({"a.w": torch.ones(1), "b.w": torch.ones(1)})
    module.a.w = module.b.w = weight
    save_torchscript(module, tmp_path / "tied.pt")
    read = read_torchscript_file(tmp_path / "tied.pt")
    assert torch.equal(read["a.w"], weight)
    assert torch.equal(read["b.w"], weight)


def test_code_in_an_archive_is_refused_and_never_runs(tmp_path: Path) -> None:
    path, proof = tmp_path / "evil.pt", tmp_path / "code-ran"
    hostile_pickles.write_torchscript(path, proof)
    with pytest.raises(ModelError, match=r"could run code: it contains '\w+\.open'"):
        read_torchscript_file(path)
    assert not proof.exists()


def test_damage_is_an_error_of_ours_wherever_it_is(tmp_path: Path) -> None:
    save_torchscript(ModuleTree(STATE), tmp_path / "good.pt")
    good = (tmp_path / "good.pt").read_bytes()
    path = tmp_path / "bad.pt"
    luck = random.Random(0)
    refused = 0
    for _ in range(200):
        bad = bytearray(good)
        for _ in range(luck.randint(1, 6)):
            bad[luck.randrange(len(bad))] = luck.randrange(256)
        path.write_bytes(bad[: luck.choice([len(bad), luck.randrange(len(bad))])])
        try:
            read_torchscript_file(path)
        except ModelError:
            refused += 1
    assert refused > 50


def test_an_archive_without_modules_is_corrupt(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("empty/constants.pkl", b"")
    with pytest.raises(ModelError, match="corrupt"):
        read_torchscript_file(tmp_path / "empty.pt")


def test_deep_nesting_is_an_error_of_ours_or_no_tensor(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "deep.pt", "w") as archive:
        archive.writestr("deep/data.pkl", b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")
    assert read_torchscript_file(tmp_path / "deep.pt") == {}
