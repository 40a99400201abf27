import os
import sys
import tempfile

import pytest

from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.errors import UsageError


def test_every_iteration_returns_the_stored_names():
    names = ["a.png", "b c\nd.png", "деталь.png", "", "x" * 300]
    stored = DiskList(iter(names))
    assert list(stored) == names
    assert list(stored) == names


def test_simultaneous_iterations_over_several_chunks_are_independent():
    names = [f"folder/{number:06}.png" for number in range(10_000)]
    stored = DiskList(names)
    assert list(zip(stored, stored, strict=True)) == [(name, name) for name in names]


def test_empty_list():
    assert list(DiskList([])) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows file names are always valid text")
def test_names_that_are_not_valid_utf_8():
    name = os.fsdecode(b"caf\xe9.png")
    assert list(DiskList([name])) == [name]


def test_a_folder_for_temporary_files_that_is_missing_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="cannot be stored.*No such file.*TMPDIR"):
        DiskList(["a.png"])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="requires Linux")  # noqa: PTH110
def test_a_full_disk_is_one_sentence(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open("/dev/full", "w+b"))  # noqa: SIM115, PTH123
    with pytest.raises(UsageError, match="cannot be stored.*No space left.*TMPDIR"):
        DiskList(["a.png"])
