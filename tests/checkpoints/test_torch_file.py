from __future__ import annotations

import collections
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import hostile_pickles

from moeclip_cli.checkpoints.tensors import check_tensors
from moeclip_cli.checkpoints.torch_file import misread, read_torch_file
from moeclip_cli.errors import ModelError

CONTENT = {
    "weights": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2).half()},
    "epoch": 3,
    "optimizer_state_dict": {"state": {0: {"step": torch.tensor(1.0)}}, "lr": [0.1, None, "x"]},
}


@pytest.mark.parametrize("new", [True, False])
def test_tensors_and_plain_values_are_read(tmp_path: Path, new: bool) -> None:
    torch.save(CONTENT, tmp_path / "x.pth", _use_new_zipfile_serialization=new)
    read = read_torch_file(tmp_path / "x.pth")
    assert torch.equal(read["weights"]["a"], CONTENT["weights"]["a"])
    assert read["optimizer_state_dict"]["lr"] == [0.1, None, "x"]


@pytest.mark.parametrize(
    "write",
    [hostile_pickles.write_zip, hostile_pickles.write_legacy, hostile_pickles.write_plain],
)
def test_code_in_a_pickle_is_refused_and_never_runs(
    tmp_path: Path, write: Callable[[Path, Path], None]
) -> None:
    path, proof = tmp_path / "evil.pth", tmp_path / "code-ran"
    write(path, proof)
    with pytest.raises(ModelError, match="was refused.*could run code"):
        read_torch_file(path)
    assert not proof.exists()


def test_the_hostile_pickle_of_these_tests_does_run_elsewhere(tmp_path: Path) -> None:
    hostile_pickles.write_plain(tmp_path / "evil.pth", tmp_path / "code-ran")
    pickle.loads((tmp_path / "evil.pth").read_bytes()).close()
    assert (tmp_path / "code-ran").exists()


def test_the_reason_of_a_refusal_is_named(tmp_path: Path) -> None:
    torch.save({"model": torch.nn.Linear(2, 2)}, tmp_path / "module.pth")
    with pytest.raises(ModelError, match="it contains 'torch.nn.modules.linear.Linear'"):
        read_torch_file(tmp_path / "module.pth")
    torch.save({"when": collections.deque([1])}, tmp_path / "deque.pth")
    with pytest.raises(ModelError, match="it contains 'collections.deque'"):
        read_torch_file(tmp_path / "deque.pth")


def test_content_other_than_a_dictionary_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="contains a list, not a dictionary"):
        read_torch_file(tmp_path / "list.pth")


@pytest.mark.parametrize("new", [True, False])
def test_damage_is_an_error_of_ours_wherever_it_is(tmp_path: Path, new: bool) -> None:
    torch.save(CONTENT, tmp_path / "good.pth", _use_new_zipfile_serialization=new)
    good = (tmp_path / "good.pth").read_bytes()
    path = tmp_path / "bad.pth"
    luck = random.Random(0)
    refused = 0
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(luck.randint(1, 4)):
            bad[luck.randrange(len(bad))] = luck.randrange(256)
        path.write_bytes(bad[: luck.choice([len(bad), luck.randrange(len(bad))])])
        try:
            read_torch_file(path)
        except ModelError:
            refused += 1
    assert refused > 50


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="File not found"):
        read_torch_file(tmp_path / "nowhere.pth")


def test_deep_nesting_is_an_error_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "deep.pth"
    path.write_bytes(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".")
    with pytest.raises(ModelError):
        read_torch_file(path)
    torch.save({}, tmp_path / "empty.pth")
    deep = b"\x80\x02}X\x01\0\0\0k" + b"]" * 50_000 + b"a" * 49_999 + b"s."
    with zipfile.ZipFile(tmp_path / "empty.pth") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, deep if name.endswith("/data.pkl") else source.read(name))
    with pytest.raises(ModelError, match="'k' in .* is a list, not a tensor"):
        check_tensors(read_torch_file(path), path)


def test_missing_memory_is_told_from_damage() -> None:
    assert "not enough memory" in str(misread(Path("x"), MemoryError()))
    assert "corrupt or truncated" in str(misread(Path("x"), EOFError()))
