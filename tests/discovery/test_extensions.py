from __future__ import annotations

import pytest

from moeclip_cli.discovery.extensions import (
    EXTENSIONS,
    OTHER_EXTENSIONS,
    is_image_name,
    is_picture_name,
)
from moeclip_cli.discovery.source import find_images


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", True),
        ("A.PNG", True),
        ("a.b.JpEg", True),
        ("a.tiff", True),
        ("a.jfif", True),
        ("IMG_1.HEIC", True),
        ("a.avif", True),
        ("a.txt", False),
        ("png", False),
        ("a.png.bak", False),
        ("._a.png", False),
        (".a.png", True),
    ],
)
def test_image_names(name, expected):
    assert is_image_name(name) is expected


@pytest.mark.parametrize("name", ["IMG_2.CR2", "clip.mp4", "a.jp2", "a.exr"])
def test_what_a_person_takes_for_a_picture_is_listed_although_it_cannot_be_read(name):
    assert is_picture_name(name)
    assert not is_image_name(name)


@pytest.mark.parametrize("name", ["notes.txt", "report.pdf", "results.csv", "._clip.mp4"])
def test_other_files_are_not_listed(name):
    assert not is_picture_name(name)


def test_no_extension_has_two_meanings():
    assert set(EXTENSIONS).isdisjoint(OTHER_EXTENSIONS)


@pytest.mark.parametrize("pattern", ["", "/*"])
def test_photos_of_any_kind_in_a_folder_are_inputs(tmp_path, pattern):
    for name in ("a.png", "b.heic", "c.NEF", "d.mov", "e.txt"):
        (tmp_path / name).touch()
    source = find_images([f"{tmp_path}{pattern}"])
    assert [ref.name for ref in source] == ["a.png", "b.heic", "c.NEF", "d.mov"]
    assert source.counts().other_files == 1
