from __future__ import annotations

import copy
import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.archives import rewritten
from support.standins import ModuleTree, save_torchscript

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
        (b"path,score\na.png,0.1\n", "not a weights file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a weights file"),
        (b"PK\x03\x04" + bytes(100), "corrupt"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        detect_format(path)


def test_a_zip_without_weights_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photos/a.png", b"")
    with pytest.raises(ModelError, match="zip archive"):
        detect_format(tmp_path / "photos.zip")


@pytest.mark.parametrize("entry", ["data.pkl", "data/0", "version"])
def test_compressed_entries_are_refused_before_they_are_read(tmp_path: Path, entry: str) -> None:
    torch.save(TENSORS, tmp_path / "weights.pth")
    bomb = rewritten(tmp_path / "weights.pth", f"weights/{entry}", bytes(10_000_000))
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ModelError, match=f"its entry 'weights/{entry}' is compressed"):
        detect_format(bomb)


def test_the_compressed_source_code_of_torchscript_is_accepted(tmp_path: Path) -> None:
    save_torchscript(ModuleTree(TENSORS), tmp_path / "script.pt")
    with zipfile.ZipFile(tmp_path / "script.pt") as archive:
        assert any(entry.compress_type == zipfile.ZIP_DEFLATED for entry in archive.infolist())
    assert detect_format(tmp_path / "script.pt") is FileFormat.TORCHSCRIPT


@pytest.mark.parametrize("entries", [("x/data.pkl", 11_000_000, 1), ("x/data/{}", 0, 20_001)])
def test_more_tensors_than_any_network_has_are_refused(
    tmp_path: Path, entries: tuple[str, int, int]
) -> None:
    name, size, count = entries
    with zipfile.ZipFile(tmp_path / "many.pth", "w") as archive:
        for number in range(count):
            archive.writestr(name.format(number), bytes(size))
    with pytest.raises(ModelError, match="more tensors than any network has"):
        detect_format(tmp_path / "many.pth")


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlapping.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", bytes(50_000))
        (entry,) = archive.filelist
        archive.filelist.extend(copy.copy(entry) for _ in range(100))
    with pytest.raises(ModelError, match="corrupt"):
        detect_format(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="requires POSIX")
@pytest.mark.parametrize("read", [detect_format, file_digest])
def test_pipes_and_devices_are_refused_at_once(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ModelError, match="cannot be read: it is a pipe, socket or device"):
            read(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="File not found"):
        detect_format(tmp_path / "nowhere.pth")
    with pytest.raises(ModelError, match="is a folder"):
        detect_format(tmp_path)


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000  # more than one chunk
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    with pytest.raises(ModelError, match="File not found"):
        file_digest(tmp_path / "nowhere")
