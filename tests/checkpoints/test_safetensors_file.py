from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from moeclip_cli.checkpoints.safetensors_file import read_safetensors, write_safetensors
from moeclip_cli.errors import ModelError

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b.weight": torch.ones(2).half()}


def test_tensors_and_metadata_come_back(tmp_path: Path) -> None:
    path = tmp_path / "größe.safetensors"
    write_safetensors(path, TENSORS, {"moeclip": '{"a": "ü"}'})
    tensors, metadata = read_safetensors(path)
    assert metadata == {"moeclip": '{"a": "ü"}'}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_tensors_with_other_strides_are_written_as_they_look(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x", {"t": TENSORS["a"].T}, {})
    assert torch.equal(read_safetensors(tmp_path / "x")[0]["t"], TENSORS["a"].T)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_safetensors(tmp_path / name, TENSORS, {"k": "v"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_writing_replaces_a_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"old")
    write_safetensors(path, TENSORS, {})
    assert read_safetensors(path)[0].keys() == TENSORS.keys()
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_failed_write_keeps_the_old_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside.txt").touch()
    with pytest.raises(ModelError, match="Cannot write .*taken: there is a folder"):
        write_safetensors(folder, TENSORS, {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]
    with pytest.raises(ModelError, match="part of its path is a file"):
        write_safetensors(tmp_path / "taken" / "inside.txt" / "x", TENSORS, {})


def test_damage_is_an_error_of_ours_wherever_it_is(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "good", TENSORS, {"k": "v"})
    good = (tmp_path / "good").read_bytes()
    luck = random.Random(0)
    refused = 0
    for _ in range(200):
        bad = bytearray(good)
        bad[luck.randrange(len(bad))] = luck.randrange(256)
        (tmp_path / "bad").write_bytes(bad[: luck.choice([len(bad), luck.randrange(len(bad))])])
        try:
            read_safetensors(tmp_path / "bad")
        except ModelError:
            refused += 1
    assert refused > 100


def test_too_many_tensors_are_refused_before_they_are_read(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({str(number): entry for number in range(50_000)}).encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError, match="contains 50,000 tensors, more than any network has"):
        read_safetensors(tmp_path / "x")
    assert not recwarn.list
