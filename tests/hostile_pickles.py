"""Pickles that run code when they are unpickled the usual way."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from standins import ModuleTree, save_torchscript


class Touch:
    """Unpickling this creates a file: the proof that code ran."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.proof), "w")


def write_zip(path: Path, proof: Path) -> None:
    """What `torch.save` writes today, with code among the tensors."""
    torch.save({"image_adapter": {}, "text_adapter": Touch(proof)}, path)


def write_legacy(path: Path, proof: Path) -> None:
    """What `torch.save` wrote before version 1.6, with code among the tensors."""
    torch.save({"text_adapter": Touch(proof)}, path, _use_new_zipfile_serialization=False)


def write_plain(path: Path, proof: Path) -> None:
    """A pickle that has nothing to do with torch, in Python's newest protocol."""
    path.write_bytes(pickle.dumps(Touch(proof)))


def write_torchscript(path: Path, proof: Path) -> None:
    """A TorchScript archive whose tree of modules was replaced by code."""
    original = path.with_suffix(".original")
    save_torchscript(ModuleTree({"weight": torch.ones(1)}), original)
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("/data.pkl"):
                content = pickle.dumps(Touch(proof), protocol=2)
            target.writestr(name, content)
