from pathlib import Path

import pytest

from moeclip_cli.discovery.disk_list import DiskList
from moeclip_cli.discovery.inputs import (
    FileInput,
    FolderInput,
    ImageRef,
    ListInput,
    PatternInput,
    Scope,
    SkippedPath,
    anchor_of,
)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("parts/a.png", "parts/sub/b.jpg", "parts/sub/notes.txt", "parts/.c.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def scope(base, *inputs, recursive=True):
    return Scope(
        base=anchor_of(Path(base)),
        files=frozenset(item.anchor for item in inputs if isinstance(item, FileInput)),
        folders=frozenset(item.anchor for item in inputs if isinstance(item, FolderInput)),
        patterns=tuple(item for item in inputs if isinstance(item, PatternInput)),
        recursive=recursive,
        exclude=None,
    )


def at(kind, path, *rest):
    return kind(Path(path), anchor_of(Path(path)), *rest)


def test_file():
    item = at(FileInput, "parts/sub/notes.txt")
    assert list(item.base_folders()) == [anchor_of(Path("parts/sub"))]
    assert list(item.find(scope("parts", item))) == [
        ImageRef(Path("parts/sub/notes.txt"), "sub/notes.txt")
    ]


def test_folder():
    item = at(FolderInput, "parts")
    assert list(item.base_folders()) == [anchor_of(Path("parts"))]
    assert list(item.find(scope("parts", item))) == [
        ImageRef(Path("parts/.c.png"), ".c.png"),
        ImageRef(Path("parts/a.png"), "a.png"),
        ImageRef(Path("parts/sub/b.jpg"), "sub/b.jpg"),
        SkippedPath(Path("parts/sub/notes.txt")),
    ]
    assert len(list(item.find(scope("parts", item, recursive=False)))) == 2


def test_folder_omits_files_and_folders_named_separately():
    item = at(FolderInput, "parts")
    others = [at(FileInput, "parts/a.png"), at(FolderInput, "parts/sub")]
    assert list(item.find(scope("parts", item, *others))) == [
        ImageRef(Path("parts/.c.png"), ".c.png")
    ]


def test_pattern():
    item = at(PatternInput, "parts", ("**", "*.*"))
    assert list(item.find(scope("parts", item))) == [
        ImageRef(Path("parts/a.png"), "a.png"),
        ImageRef(Path("parts/sub/b.jpg"), "sub/b.jpg"),
        SkippedPath(Path("parts/sub/notes.txt")),
    ]


def test_pattern_with_an_extension_overrides_the_image_extensions():
    item = at(PatternInput, "parts", ("*", "*.txt"))
    (entry,) = item.find(scope("parts", item))
    assert entry == ImageRef(Path("parts/sub/notes.txt"), "sub/notes.txt")


def test_pattern_for_hidden_files():
    item = at(PatternInput, "parts", (".*",))
    (entry,) = item.find(scope("parts", item))
    assert entry == ImageRef(Path("parts/.c.png"), ".c.png")


def test_pattern_that_matches_a_folder():
    item = at(PatternInput, "parts", ("s*",))
    assert ImageRef(Path("parts/sub/b.jpg"), "sub/b.jpg") in list(item.find(scope("parts", item)))
    assert list(item.find(scope("parts", item, recursive=False))) == []


def test_pattern_omits_the_images_of_other_inputs():
    item = at(PatternInput, "parts", ("**", "*.*"))
    earlier = at(PatternInput, "parts", ("*", "*.jpg"))
    rest = [SkippedPath(Path("parts/sub/notes.txt"))]
    assert list(item.find(scope("parts", earlier, at(FileInput, "parts/a.png"), item))) == rest
    assert list(item.find(scope("parts", item, at(FolderInput, "parts")))) == []


def test_list():
    item = ListInput(DiskList(["parts/a.png", "gone.png", "parts/a.png"]))
    assert list(item.find(scope("."))) == [
        ImageRef(Path("parts/a.png"), "parts/a.png"),
        ImageRef(Path("gone.png"), "gone.png"),
        ImageRef(Path("parts/a.png"), "parts/a.png"),
    ]
    assert list(item.base_folders())[1] == anchor_of(Path())


def test_names_of_inputs_on_several_drives():
    several_drives = Scope(None, frozenset(), frozenset(), (), True, None)
    assert several_drives.name("C:/data/a.png") == "C/data/a.png"
    assert several_drives.name("D:/data/a.png") == "D/data/a.png"


def test_anchor_resolves_parent_components_after_a_link(tmp_path):
    (tmp_path / "other/deep").mkdir(parents=True)
    (tmp_path / "other/a.png").touch()
    (tmp_path / "link").symlink_to("other/deep", target_is_directory=True)
    assert Path("link/../a.png").samefile("other/a.png")
    assert anchor_of(Path("link/../a.png")) == (tmp_path.resolve() / "other/a.png").as_posix()
    assert anchor_of(Path("link/..")) == (tmp_path.resolve() / "other").as_posix()


def test_anchor_of_a_link_is_the_path_of_the_link(tmp_path):
    (tmp_path / "b.png").symlink_to("parts/a.png")
    assert anchor_of(Path("b.png")) == (tmp_path / "b.png").as_posix()
    assert anchor_of(Path("parts/../b.png")) == (tmp_path.resolve() / "b.png").as_posix()
