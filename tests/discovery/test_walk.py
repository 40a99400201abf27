import os
import sys
from pathlib import Path

import pytest

from moeclip_cli.discovery.walk import OUTPUT_MARKER, walk


def enter_all(_):
    return True


def paths(root, **options):
    return [entry.path for entry in walk(root, **{"enter": enter_all, **options})]


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_in_natural_order_then_subfolders(tmp_path):
    make(tmp_path, "b10.png", "b9.png", "A.txt", "lot10/x.png", "lot9/y.png", "lot9/a/z.png")
    expected = ["A.txt", "b9.png", "b10.png", "lot9/y.png", "lot9/a/z.png", "lot10/x.png"]
    assert paths(tmp_path) == expected
    assert paths(tmp_path) == expected


def test_enter_decides_which_subfolders_are_walked(tmp_path):
    make(tmp_path, "a.png", "yes/b.png", "no/c.png", "yes/no/d.png")
    asked = []

    def enter(folder):
        asked.append(folder)
        return "no" not in folder

    assert paths(tmp_path, enter=enter) == ["a.png", "yes/b.png"]
    assert sorted(asked) == ["no", "yes", "yes/no"]


def test_link_loops_terminate(tmp_path):
    make(tmp_path, "a.png", "sub/b.png", "sub/deep/c.png")
    (tmp_path / "sub/deep/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub/self").symlink_to(".", target_is_directory=True)
    (tmp_path / "zz").symlink_to("sub", target_is_directory=True)
    assert paths(tmp_path) == ["a.png", "sub/b.png", "sub/deep/c.png"]


def test_a_folder_with_several_links_is_walked_once(tmp_path):
    make(tmp_path, "elsewhere/x.png", "root/a.png")
    for name in ("one", "two"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert paths(tmp_path / "root") == ["a.png", "one/x.png"]


def test_the_root_may_be_a_link(tmp_path):
    make(tmp_path, "real/a.png")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    assert paths(tmp_path / "link") == ["a.png"]


def test_broken_and_circular_links_are_files(tmp_path):
    (tmp_path / "broken.png").symlink_to("gone")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert paths(tmp_path) == ["broken.png", "loop.png"]


def test_folder_with_an_image_extension_is_walked(tmp_path):
    make(tmp_path, "x.png/a.png")
    assert paths(tmp_path) == ["x.png/a.png"]


def test_output_folders_are_skipped(tmp_path):
    make(tmp_path, "a.png", "old/heatmaps/a.png", f"old/{OUTPUT_MARKER}", "new/a.png")
    assert paths(tmp_path, exclude=tmp_path / "new") == ["a.png"]
    assert paths(tmp_path, exclude=tmp_path / "not there") == ["a.png", "new/a.png"]
    assert "heatmaps/a.png" in paths(tmp_path / "old")


def test_excluded_folder_may_be_given_as_a_link(tmp_path):
    make(tmp_path, "parts/a.png", "parts/out/b.png")
    (tmp_path / "alias").symlink_to("parts/out", target_is_directory=True)
    assert paths(tmp_path / "parts", exclude=tmp_path / "alias") == ["a.png"]


def test_unreadable_folder_is_yielded_with_its_error(public_folder, without_rights):
    make(public_folder, "a.png", "locked/b.png", "open/c.png")
    (public_folder / "locked").chmod(0)
    with without_rights():
        entries = list(walk(public_folder, enter=enter_all))
    assert [(item.path, item.error) for item in entries] == [
        ("a.png", None),
        ("locked", "Permission denied"),
        ("open/c.png", None),
    ]


def test_missing_root_is_yielded_with_its_error(tmp_path):
    (entry,) = walk(tmp_path / "gone", enter=enter_all)
    assert entry.path == ""
    assert entry.error == "No such file or directory"


def test_deep_nesting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(150):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.png").touch()
    monkeypatch.chdir(tmp_path)
    (path,) = paths(Path())
    assert path == "d/" * 150 + "a.png"


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux allows file names that are not valid text"
)
def test_unusual_file_names(tmp_path):
    names = ["a\nb.png", "деталь.png", os.fsdecode(b"caf\xe9.png"), "back\\slash.png", " .png"]
    make(tmp_path, *names)
    assert sorted(paths(tmp_path)) == sorted(names)
