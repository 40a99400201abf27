"""Pickles that run code when they are unpickled without restrictions."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch

from support.standins import ModuleTree, save_torchscript


class Touch:
    """Creates a file when it is unpickled, as proof that code ran."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.proof), "w")


def write_zip(path: Path, proof: Path) -> None:
    """Write a file in the current format of `torch.save`, with code among the tensors."""
    torch.save({"image_adapter": {}, "text_adapter": Touch(proof)}, path)


def write_legacy(path: Path, proof: Path) -> None:
    """Write a file in the format of `torch.save` before version 1.6, with code in it."""
    torch.save({"text_adapter": Touch(proof)}, path, _use_new_zipfile_serialization=False)


def write_plain(path: Path, proof: Path) -> None:
    """Write a plain pickle, unrelated to torch, in Python's newest protocol."""
    path.write_bytes(pickle.dumps(Touch(proof)))


def write_torchscript(path: Path, proof: Path) -> None:
    """Write a TorchScript archive with code in place of its module tree."""
    original = path.with_suffix(".original")
    save_torchscript(ModuleTree({"weight": torch.ones(1)}), original)
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/data.pkl"):
                content = pickle.dumps(Touch(proof), protocol=2)
            target.writestr(name, content)
