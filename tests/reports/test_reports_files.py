import os
from pathlib import Path

import pytest

from moeclip_cli.errors import UsageError
from moeclip_cli.reports.files import replacing


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
    message = r"Cannot write .*taken: there is a folder of that name"
    with pytest.raises(UsageError, match=message), replacing(tmp_path / "taken"):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere"
)
def test_a_missing_permission_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="no permission"), replacing(tmp_path / "file"):
        pass
