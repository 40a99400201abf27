import os
import sys
from pathlib import Path

import pytest

from moeclip_cli.images.walk import OUTPUT_MARKER, walk


def everywhere(_):
    return True


def paths(root, **options):
    return [found.path for found in walk(root, **{"enter": everywhere, **options})]


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


def test_enters_only_where_told(tmp_path):
    make(tmp_path, "a.png", "yes/b.png", "no/c.png", "yes/no/d.png")
    asked = []

    def enter(folder):
        asked.append(folder)
        return "no" not in folder

    assert paths(tmp_path, enter=enter) == ["a.png", "yes/b.png"]
    assert sorted(asked) == ["no", "yes", "yes/no"]


def test_loops_of_links_end(tmp_path):
    make(tmp_path, "a.png", "sub/b.png", "sub/deep/c.png")
    (tmp_path / "sub/deep/up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub/self").symlink_to(".", target_is_directory=True)
    (tmp_path / "zz").symlink_to("sub", target_is_directory=True)
    assert paths(tmp_path) == ["a.png", "sub/b.png", "sub/deep/c.png"]


def test_links_to_folders_elsewhere_are_followed_once(tmp_path):
    make(tmp_path, "elsewhere/x.png", "root/a.png")
    for name in ("one", "two"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert paths(tmp_path / "root") == ["a.png", "one/x.png"]


def test_root_may_be_a_link(tmp_path):
    make(tmp_path, "real/a.png")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    assert paths(tmp_path / "link") == ["a.png"]


def test_broken_links_and_links_to_themselves_are_files(tmp_path):
    (tmp_path / "broken.png").symlink_to("gone")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert paths(tmp_path) == ["broken.png", "loop.png"]


def test_folder_with_the_name_of_an_image(tmp_path):
    make(tmp_path, "x.png/a.png")
    assert paths(tmp_path) == ["x.png/a.png"]


def test_results_are_left_out(tmp_path):
    make(tmp_path, "a.png", "old/heatmaps/a.png", f"old/{OUTPUT_MARKER}", "new/a.png")
    assert paths(tmp_path, exclude=tmp_path / "new") == ["a.png"]
    assert paths(tmp_path, exclude=tmp_path / "not there") == ["a.png", "new/a.png"]
    assert "heatmaps/a.png" in paths(tmp_path / "old")


def test_excluded_folder_is_recognised_behind_a_link(tmp_path):
    make(tmp_path, "parts/a.png", "parts/out/b.png")
    (tmp_path / "alias").symlink_to("parts/out", target_is_directory=True)
    assert paths(tmp_path / "parts", exclude=tmp_path / "alias") == ["a.png"]


def test_folder_that_may_not_be_listed_is_reported(public_folder, without_rights):
    make(public_folder, "a.png", "locked/b.png", "open/c.png")
    (public_folder / "locked").chmod(0)
    with without_rights():
        found = list(walk(public_folder, enter=everywhere))
    assert [(item.path, item.error) for item in found] == [
        ("a.png", None),
        ("locked", "Permission denied"),
        ("open/c.png", None),
    ]


def test_root_that_is_gone_is_reported(tmp_path):
    (found,) = walk(tmp_path / "gone", enter=everywhere)
    assert found.path == ""
    assert found.error == "No such file or directory"


def test_deep_nesting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(300):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.png").touch()
    monkeypatch.chdir(tmp_path)
    (found,) = paths(Path())
    assert found == "d/" * 300 + "a.png"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no text")
def test_any_name_there_can_be(tmp_path):
    names = ["a\nb.png", "деталь.png", os.fsdecode(b"caf\xe9.png"), "back\\slash.png", " .png"]
    make(tmp_path, *names)
    assert sorted(paths(tmp_path)) == sorted(names)
