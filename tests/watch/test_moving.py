"""Moving pictures: nothing is overwritten or lost, also after a kill and to another disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from moeclip_cli.files import size_and_time
from moeclip_cli.watch.actions import Actions, moved_folders
from moeclip_cli.watch.moving import free_path, move
from moeclip_cli.watch.picture import Picture


def picture_of(path, content=b"picture"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    size, modified_ns = size_and_time(path)
    return Picture(modified_ns, path.name, size)


@pytest.fixture
def source(folder):
    return folder / "a.png"


@pytest.fixture
def other_disk(tmp_path):
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("requires a second file system")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def test_a_picture_goes_to_the_folder_of_its_verdict(source, tmp_path):
    picture = picture_of(source)
    actions = Actions(print, print, move_to=tmp_path)
    folders = []
    for verdict, error in (("normal", None), ("unsure", None), ("anomalous", None), (None, "no")):
        event = {"id": "0123456789", "verdict": verdict, "error": error}
        folders.append(Path(actions.destination(picture, event)).parent)
    assert folders == moved_folders(tmp_path)
    assert [each.name for each in folders] == ["good", "unsure", "bad", "unreadable"]


def test_a_picture_is_moved_with_its_time(source, tmp_path):
    picture = picture_of(source)
    target = tmp_path / "good/sub/a.png"
    assert move(source, picture, target)
    assert picture.is_unchanged(target)
    assert not source.exists()
    assert move(source, picture, target)


def test_another_file_is_never_overwritten(source, tmp_path):
    picture = picture_of(source)
    target = tmp_path / "a.png"
    target.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        move(source, picture, target)
    assert target.read_bytes() == b"other"
    assert picture.is_unchanged(source)


def test_a_changed_picture_stays(source, tmp_path):
    picture = picture_of(source)
    source.write_bytes(b"newer")
    assert not move(source, picture, tmp_path / "b.png")
    assert source.read_bytes() == b"newer"
    assert not (tmp_path / "b.png").exists()


def test_to_another_disk(source, other_disk):
    picture = picture_of(source)
    target = other_disk / "good/a.png"
    assert move(source, picture, target)
    assert picture.is_unchanged(target)
    assert not source.exists()
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_copy_leaves_the_picture_and_nothing_else(source, other_disk, monkeypatch):
    picture = picture_of(source)

    def fail(*streams):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fail)
    with pytest.raises(Exception, match="full"):
        move(source, picture, other_disk / "a.png")
    assert picture.is_unchanged(source)
    assert list(other_disk.iterdir()) == []


@pytest.mark.parametrize("left", ["reserved", "copied"])
def test_an_interrupted_move_is_finished(source, tmp_path, left):
    picture = picture_of(source)
    target = tmp_path / "a.png"
    if left == "reserved":
        target.touch()
    else:
        picture_of(target)
    assert move(source, picture, target)
    assert target.read_bytes() == b"picture"
    assert not source.exists()


def test_names_that_are_taken(source, tmp_path):
    picture = picture_of(source)
    assert free_path(tmp_path, picture, "id") == tmp_path / "a.png"
    (tmp_path / "a.png").touch()
    dated = tmp_path / "a~1700000000123456789.png"
    assert free_path(tmp_path, picture, "id") == dated
    dated.touch()
    assert free_path(tmp_path, picture, "id") == tmp_path / "a~1700000000123456789~id.png"
