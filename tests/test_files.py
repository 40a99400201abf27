import errno
import os
from pathlib import Path

import pytest
from support.faults import Faults, file_faults

from moeclip_cli.errors import UsageError
from moeclip_cli.files import AppendedFile, partial_files, replacing, write_errors


def test_the_file_appears_at_the_end_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    with replacing(path) as stream:
        stream.write(b"half")
        assert not path.exists()
        stream.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_of_255_bytes_is_written(tmp_path: Path) -> None:
    with replacing(tmp_path / ("x" * 255)) as stream:
        stream.write(b"content")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"content"


def test_others_may_read_the_file_as_usual(tmp_path: Path) -> None:
    with replacing(tmp_path / "replaced"):
        pass
    (tmp_path / "usual").touch()
    modes = {(tmp_path / name).stat().st_mode for name in ("replaced", "usual")}
    assert len(modes) == 1


def test_a_folder_in_the_way_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    message = r"Cannot write .*taken: there is a folder with that name; choose another `out`"
    with pytest.raises(UsageError, match=message), replacing(tmp_path / "taken"):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere"
)
def test_a_missing_permission_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="permission denied"), replacing(tmp_path / "file"):
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.ENAMETOOLONG, errno.EIO])
def test_the_error_names_the_parameter_that_determines_the_path(code: int) -> None:
    message = r"^Cannot write p\.json: .* choose (another|a shorter) `profile`\.$"
    with pytest.raises(UsageError, match=message), write_errors(Path("p.json"), "profile"):
        raise OSError(code, os.strerror(code))


def test_appended_data_is_kept_up_to_a_length(tmp_path: Path) -> None:
    with AppendedFile(tmp_path / "new" / "file") as file:
        file.append(b"one two")
    with AppendedFile(tmp_path / "new" / "file", keep=4) as file:
        file.append(b"three")
    assert (tmp_path / "new" / "file").read_bytes() == b"one three"


@pytest.mark.parametrize("replace", [False, True])
def test_an_appended_file_that_was_removed_is_an_error(replace: bool, tmp_path: Path) -> None:
    file = AppendedFile(tmp_path / "file")
    (tmp_path / "file").rename(tmp_path / "moved")
    if replace:
        (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="removed or replaced during the run"):
        file.close()
    file.close()


def test_durable_content_is_on_the_disk_before_the_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def sync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, (tmp_path / "file").exists()))

    monkeypatch.setattr(os, "fsync", sync)
    with replacing(tmp_path / "file", durable=True) as stream:
        stream.write(b"content")
    inodes = [(tmp_path / "file").stat().st_ino, tmp_path.stat().st_ino]
    assert synced == list(zip(inodes, [False, True], strict=True))


def test_temporary_files_are_found_in_the_named_folders(tmp_path: Path) -> None:
    name = ".0123456789abcdef.partial"
    for folder in ("", "maps", "maps/deep", "other"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).touch()
    found = sorted(partial_files(tmp_path, ["maps", "missing"]))
    assert found == [tmp_path / name, tmp_path / "maps" / name, tmp_path / "maps" / "deep" / name]


def test_appended_data_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with file_faults(Faults(tmp_path, at=4)) as faults:  # the second write
        file = AppendedFile(tmp_path / "file")
        file.append(b"first line\n")
        with pytest.raises(UsageError, match="Cannot write"):
            file.append(b"second line\n")
        file.append(b"third line\n")
        file.close()
    assert [failed.split()[0] for failed in faults.failed] == ["write"]
    assert (tmp_path / "file").read_bytes() == b"first line\nthird line\n"


def test_a_replaced_file_is_not_an_error_afterwards(tmp_path: Path) -> None:
    with file_faults(Faults(tmp_path)) as counted, replacing(tmp_path / "file") as stream:
        stream.write(b"new")
    assert counted.counts["remove"] == 0


def test_the_cause_is_reported_when_the_temporary_file_cannot_be_removed(tmp_path: Path) -> None:
    with (
        file_faults(Faults(tmp_path, at=3, lasting=True)) as faults,
        pytest.raises(UsageError, match="disk is full"),
        replacing(tmp_path / "file") as stream,
    ):
        stream.write(b"new")
    assert [failed.split()[0] for failed in faults.failed] == ["write", "remove"]
