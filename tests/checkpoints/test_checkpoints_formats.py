from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from standins import ModuleTree, save_torchscript

from moeclip_cli.checkpoints.formats import FileFormat, detect_format, file_digest
from moeclip_cli.errors import ModelError

TENSORS = {"a": torch.ones(3)}


def test_the_content_decides_and_not_the_name(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "own.pth")
    torch.save(TENSORS, tmp_path / "new.safetensors")
    torch.save(TENSORS, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    save_torchscript(ModuleTree(TENSORS), tmp_path / "script.safetensors")
    assert detect_format(tmp_path / "own.pth") is FileFormat.SAFETENSORS
    assert detect_format(tmp_path / "new.safetensors") is FileFormat.TORCH
    assert detect_format(tmp_path / "old.bin") is FileFormat.TORCH
    assert detect_format(tmp_path / "script.safetensors") is FileFormat.TORCHSCRIPT


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>not found</html>", "web page"),
        (b"path,score\na.png,0.1\n", "no weights file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no weights file"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
    ],
)
def test_what_else_a_file_may_be_is_said(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        detect_format(path)


def test_a_zip_without_weights_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photos/a.png", b"")
    with pytest.raises(ModelError, match="zip archive"):
        detect_format(tmp_path / "photos.zip")


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no file"):
        detect_format(tmp_path / "nowhere.pth")
    with pytest.raises(ModelError, match="is a folder"):
        detect_format(tmp_path)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000  # more than one chunk
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    with pytest.raises(ModelError, match="There is no file"):
        file_digest(tmp_path / "nowhere")
